"""Numbers in words."""

from __future__ import annotations

import re
import tarfile

import pytest

from contrique_cli.words import plural

PLURALS = re.compile(
    r"\b1 (scored |chosen |of the )?(photos|files|shards|sidecars|rows|steps|views)\b"
)

TINY = ("--regressor", "tiny", "--device", "cpu")


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 photos"), (1, "1 photo"), (2, "2 photos"), (1000, "1,000 photos")]
)
def test_one_is_no_plural(number, words):
    assert plural(number, "photo") == words


@pytest.mark.usefixtures("tiny_regressor")
def test_whatever_is_said_of_one_photo_has_no_plural(contrique, photos, monkeypatch):
    monkeypatch.chdir(photos)
    for name in ("b.jpg", "c.jpg"):
        (photos / name).unlink()
    with tarfile.open("one.tar", "w") as tar:
        tar.add("a.jpg")
    report = ("--from", "r.csv")
    commands = {
        ("score", ".", "-o", "r.csv", "--xmp", "--gallery", "g.html", *TINY): 0,
        ("score", "a.jpg", "a.jpg", "-o", "r.csv", "--fail-under", 101, *TINY): 4,
        ("select", *report): 0,
        ("select", *report, "--min-score", 101): 1,
        ("select", *report, "--to", "to", "--move", "--sidecars", "--undo-file", "u"): 0,
        ("undo", "u"): 0,
        ("rate", *report, "--dry-run"): 0,
        ("features", "a.jpg", "-o", "f.npz", "--model", "tiny", "--device", "cpu"): 0,
        ("score", "one.tar", "-o", "scores/", *TINY): 0,
        ("fit-regressor", "--ratings", "."): 1,
        ("train", "-o", "run", "--pristine", ".", "--arch", "tiny"): 1,
    }
    for command, status in commands.items():
        done = contrique(*command)
        assert done.status == status, done.err
        assert not PLURALS.search(done.err), done.err
    (photos / "a.jpg").unlink()
    gone = contrique("select", *report, "--list")
    assert gone.err.startswith("error: of 1 chosen photo none is there")
