"""Files: opened without blocking, or refused in words."""

from __future__ import annotations

import os
import socket
from collections import Counter
from pathlib import Path

from contrique_cli.errors import Unreadable
from contrique_cli.photos import finding
from tests.conftest import make_photo, without_privileges
from tests.opened import reason


def names(sources: list[Path], left_out: Counter[str] | None = None) -> list[str]:
    found = finding.find(sources, Counter() if left_out is None else left_out)
    return [f"!{one.reason}" if isinstance(one, Unreadable) else one.name for one in found]


def test_a_pipe_or_a_socket_is_a_row_with_a_reason_and_never_blocks(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.jpg")
    monkeypatch.chdir(tmp_path)  # a socket's path may not be long
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.jpg")
        found = names([tmp_path])
    assert found == ["!not a regular file but a named pipe", "!not a regular file but a socket"]
    assert reason(tmp_path / "pipe.jpg") == "not a regular file but a named pipe"


def test_files_and_folders_without_permission_are_rows(tmp_path):
    (tmp_path / "closed").mkdir()
    make_photo().save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").chmod(0)
    (tmp_path / "closed").chmod(0)
    with without_privileges(tmp_path):
        assert names([tmp_path]) == ["a.jpg", "!permission denied"]
        assert reason(tmp_path / "a.jpg") == "permission denied"
    (tmp_path / "closed").chmod(0o700)
