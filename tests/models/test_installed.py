"""Model files by name: where they lie, without opening one."""

from __future__ import annotations

from pathlib import Path

from contrique_cli.models import installed


def test_bundled_files_come_first_then_the_users_by_name(tmp_path: Path, home: Path):
    bundled = tmp_path / "bundled"
    for folder, name in ((home, "b"), (home, "a"), (bundled, "z")):
        (folder / "encoders").mkdir(parents=True, exist_ok=True)
        (folder / "encoders" / f"{name}.safetensors").touch()
    (home / "encoders" / "notes.txt").touch()
    (home / "regressors").write_text("no folder")
    found = list(installed.installed(bundled=bundled))
    assert [(one.name, one.is_bundled) for one in found] == [
        ("z", True),
        ("a", False),
        ("b", False),
    ]
    assert list(installed.installed(installed.REGRESSOR, bundled)) == []
