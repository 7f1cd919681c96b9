"""The cache as people meet it: second runs, --no-cache, cache info, cache clear, kills."""

from __future__ import annotations

import os
import re
import signal
import subprocess

import pytest

from contrique_cli import config
from contrique_cli.encoder import checkpoint, features
from contrique_cli.encoder.cache.featurecache import location
from contrique_cli.photos import opening
from tests.conftest import make_photo, spawn

pytestmark = pytest.mark.usefixtures("tiny_regressor")
TINY = ("--regressor", "tiny", "--device", "cpu")


@pytest.fixture
def no_work(monkeypatch):
    """From here on, decoding, computing and reading an encoder are failures."""

    def start():
        for room, name in ((opening, "open_rgb"), (features, "extract"), (checkpoint, "load")):
            monkeypatch.setattr(room, name, lambda *_, **__: pytest.fail("it did work"))

    return start


@pytest.fixture
def table(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(config, "SPLITS", 1)  # figures do not matter here
    monkeypatch.setattr(config, "RESAMPLES", 10)
    lines = ["path,mos"]
    for seed in range(30):
        make_photo(seed, 48, 40).save(photos / f"{seed}.png")
        lines.append(f"{photos / str(seed)}.png,{seed % 7}")
    path = tmp_path / "scores.csv"
    path.write_text("\n".join(lines))
    return path


def test_a_second_run_does_no_work_and_says_the_same(contrique, photos, no_work):
    first = contrique("score", photos, *TINY)
    no_work()
    second = contrique("score", photos, *TINY)
    assert (second.status, second.out, second.err) == (0, first.out, first.err)


def test_scores_without_the_cache_are_the_same(contrique, photos):
    assert (
        contrique("score", photos, *TINY).out == contrique("score", photos, "--no-cache", *TINY).out
    )


def test_no_cache_neither_uses_nor_fills_it(contrique, photos, monkeypatch):
    contrique("score", photos, "--no-cache", *TINY)
    assert not location().exists()
    contrique("score", photos, *TINY)
    monkeypatch.setattr(opening, "open_rgb", lambda *_, **__: pytest.fail("decoded"))
    with pytest.raises(pytest.fail.Exception, match="decoded"):
        contrique("score", photos, "--no-cache", *TINY)


@pytest.mark.parametrize(
    "command",
    [
        ("features", "PHOTOS", "--model", "tiny", "--output", "f.npz"),
        ("fit-regressor", "--mos", "TABLE", "--model", "tiny", "--output", "r"),
        ("evaluate", "--mos", "TABLE", "--regressor", "tiny"),
    ],
)
def test_every_command_about_photos_remembers_them(contrique, photos, table, monkeypatch, command):
    monkeypatch.chdir(table.parent)
    names = {"PHOTOS": photos, "TABLE": table}
    arguments = [names.get(word, word) for word in command]
    first = contrique(*arguments)
    assert first.status == 0, first.err
    monkeypatch.setattr(opening, "open_rgb", lambda *_, **__: pytest.fail("decoded"))
    second = contrique(*arguments)
    told = first.err.replace("saved ", "replaced ") if "fit-regressor" in command else first.err
    assert (second.status, second.out, second.err) == (0, first.out, told)


def test_another_regressor_of_the_same_encoder_needs_no_work(contrique, photos, table, no_work):
    contrique("fit-regressor", "--mos", table, "--model", "tiny", "--max-side", 128, "-o", "other")
    no_work()
    pngs = [path for path in photos.iterdir() if path.suffix == ".png"]
    assert contrique("score", *pngs, "--regressor", "other").status == 0


def test_info_says_where_how_large_and_whose(contrique, photos):
    before = contrique("cache", "info")
    assert "not there yet" in before.out
    assert not location().exists()
    contrique("score", photos, *TINY)
    done = contrique("cache", "info")
    text = " ".join(done.out.split())
    assert f" {location()}\n" in done.out
    assert re.search(r"size \d+(\.\d+)? kB", text)
    assert f"limit {config.CACHE_BYTES / 1e9:.1f} GB" in text
    assert re.search(r"photos 3 tiny [0-9a-f]{12} at 128 pixels, (bf16|fp32) 3$", text)


def test_clear_forgets_what_was_there(contrique, photos):
    assert contrique("cache", "clear").err.startswith("0 photos forgotten")
    contrique("score", photos, *TINY)
    assert contrique("cache", "clear").err.startswith("3 photos forgotten")
    assert "photos 0" in " ".join(contrique("cache", "info").out.split())


def test_a_cleared_cache_is_not_called_damaged(contrique, photos):
    """Giving the space back puts the tables into another order."""
    contrique("score", photos, *TINY)
    contrique("cache", "clear")
    assert "note" not in contrique("score", photos, *TINY).err
    assert "photos 3" in " ".join(contrique("cache", "info").out.split())


def test_a_damaged_cache_is_a_note_and_no_more(contrique, photos):
    first = contrique("score", photos, *TINY)
    location().write_bytes(b"rubbish" * 1000)
    second = contrique("score", photos, *TINY)
    assert (second.status, second.out) == (0, first.out)
    assert f"note: the feature cache {location()} was damaged and has been" in second.err
    assert "note" not in contrique("score", photos, *TINY).err


def test_a_cache_that_cannot_be_written_is_a_note_and_no_more(contrique, photos):
    location().parent.mkdir(parents=True, exist_ok=True)
    location().mkdir()
    done = contrique("score", photos, *TINY)
    assert done.status == 0
    assert "going on without it" in done.err
    assert contrique("score", photos, "--quiet", *TINY).err == ""


def test_a_killed_run_is_resumed_by_the_next(contrique, photos, monkeypatch):
    paths = []
    for seed in range(60):
        paths.append(photos / f"{seed:02}.png")
        make_photo(seed, 40, 40).save(paths[-1])
    with spawn(
        ["score", "-", "--format", "jsonl", *TINY], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as program:
        program.stdin.write(b"".join(os.fsencode(path) + b"\n" for path in paths[:50]))
        program.stdin.flush()
        for _ in range(40):
            program.stdout.readline()
        program.send_signal(signal.SIGKILL)
        program.wait(timeout=60)
    opened, real = [], opening.open_rgb
    monkeypatch.setattr(
        opening, "open_rgb", lambda path, **options: opened.append(path) or real(path, **options)
    )
    assert contrique("score", *paths, *TINY).status == 0
    assert 10 <= len(opened) <= 20 + 8
    assert not set(opened) & set(paths[:32])
