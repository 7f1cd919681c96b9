"""Official files are read as data, and hostile ones refused without running anything."""

from __future__ import annotations

import io
import os
import tarfile
from collections import OrderedDict

import pytest
import torch

from contrique_cli.errors import BadModelFile
from contrique_cli.models.official import recognising
from tests import official_files as synthetic
from tests.official_files import write

# ------------------------------------------------------------------------------ checkpoint


@pytest.fixture(scope="module")
def small_state():
    return synthetic.small_state()


# ------------------------------------------------------------------------------ recognising


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"hello\n", "no official CONTRIQUE file"),
        (b"404: Not Found", "no official CONTRIQUE file"),
        (b"<!DOCTYPE html><title>Sign in</title>", "no official CONTRIQUE file"),
        (b".", "no official CONTRIQUE file"),
        (b"\x1f\x8b\x08 joblib, compressed", "no official CONTRIQUE file"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path, data, words):
    with pytest.raises(BadModelFile, match=words):
        recognising.recognise(write(tmp_path / "CONTRIQUE_checkpoint25.tar", data))


def test_a_real_tar_archive_is_explained(tmp_path):
    path = tmp_path / "CONTRIQUE_checkpoint25.tar"
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("sys_info"), io.BytesIO())
    with pytest.raises(BadModelFile, match="real tar archive"):
        recognising.recognise(path)


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, words in [(".", "a folder"), ("pipe", "not a regular"), ("none", "no such file")]:
        with pytest.raises(BadModelFile, match=words):
            recognising.recognise(tmp_path / name)


def test_a_name_does_not_decide_what_a_file_is(tmp_path, small_state):
    ridge = write(tmp_path / "x.tar", synthetic.ridge_pickle(synthetic.ridge(8)))
    torch.save(OrderedDict(a=torch.ones(1)), tmp_path / "CLIVE.save")
    assert recognising.recognise(ridge) == recognising.RIDGE
    assert recognising.recognise(tmp_path / "CLIVE.save") == recognising.CHECKPOINT
