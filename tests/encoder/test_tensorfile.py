"""Tensors with a header: read by others, and refused where not whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from contrique_cli.encoder import checkpoint
from contrique_cli.encoder.model import Contrique
from contrique_cli.errors import BadModelFile


@pytest.fixture
def saved(tmp_path: Path, tiny: Contrique) -> Path:
    checkpoint.save(tmp_path / "a.safetensors", tiny, provenance={"data": "none"})
    return tmp_path / "a.safetensors"


def test_the_header_is_readable_by_any_safetensors_reader(saved):
    with safe_open(saved, framework="pt") as file:
        metadata = {key: json.loads(value) for key, value in file.metadata().items()}
    assert metadata["kind"] == "contrique encoder"
    assert metadata["preprocessing"] == 1
    assert metadata["arch"] == "tiny"
    assert len(metadata["fingerprint"]) == 64


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_file_is_refused(saved, share):
    data = saved.read_bytes()
    saved.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BadModelFile, match=r"not a contrique model file, or is damaged|is empty"):
        checkpoint.load(saved)


def test_foreign_files_are_refused_in_words(tmp_path, saved):
    with pytest.raises(BadModelFile, match="no such file"):
        checkpoint.load(tmp_path / "gone")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(BadModelFile, match="contrique models import"):
        checkpoint.load(tmp_path / "text")
    save_file({"a": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(BadModelFile, match="not one made by contrique"):
        checkpoint.load(tmp_path / "foreign.safetensors")
    torch.save({"a": 1}, tmp_path / "pickle.pt")
    with pytest.raises(BadModelFile, match="contrique models import"):
        checkpoint.load(tmp_path / "pickle.pt")
