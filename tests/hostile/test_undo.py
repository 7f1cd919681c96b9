"""Undo files and reports of strangers: no photo is lost, and nothing outside is touched."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.hostile import mutations
from tests.hostile.counting import LONG, Count
from tests.sidecars import DARKTABLE

JPEG = b"\xff\xd8\xff\xe0"


def make(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A desk with five photos and their report; beside it a home with a secret and a photo."""
    desk = root / "desk"
    for name in ("desk/a/x.jpg", "desk/a/y.jpg", "desk/b/x.jpg", "desk/b/z.jpg", "home/mine.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(JPEG + name.encode())
    (root / "home" / "id_rsa").write_text("secret")
    (desk / "a" / "x.jpg.xmp").write_text("rated")
    (desk / "link").symlink_to("../home")
    rows = ["a/x.jpg", "a/y.jpg", "b/x.jpg", "b/z.jpg"]
    (desk / "r.csv").write_text(
        "path,score\n" + "".join(f"{row},{90 - number}\n" for number, row in enumerate(rows))
    )
    monkeypatch.chdir(desk)
    return desk


def contents(root: Path) -> Counter[bytes]:
    """How often each photo is there; names of one file count once."""
    files = {
        (path.stat().st_dev, path.stat().st_ino): path
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    return Counter(path.read_bytes() for path in files.values())


def lacks(before: Counter[bytes], root: Path) -> list[bytes]:
    """Contents of which there are fewer than before; reports and undo files may change."""
    return [one for one in (before - contents(root)) if one.startswith((JPEG, b"secret", b"rated"))]


def places(root: Path, rng: Random) -> str:
    """A path that a stranger may write into an undo file or a report."""
    return rng.choice(
        (
            *(f"{root}/home/id_rsa", f"{root}/home/mine.jpg", f"{root}/desk/link/mine.jpg"),
            *("/etc/hostname", f"{root}/desk/to/../../home/mine.jpg", "../home/id_rsa"),
            *(f"{root}/desk/a/x.jpg", f"{root}/desk/to/x.jpg", f"{root}/desk/a/../to/x.jpg"),
            *(f"{root}/desk/new/.config/x.sh", "-", "", "\0", f"{root}/desk/to", f"{root}/desk/b"),
            f"{root}/desk/to/{mutations.name_of(rng)}",
        )
    )


def mutate_undo(data: bytes, root: Path, rng: Random) -> bytes:
    if rng.random() < 0.2:
        return mutations.bytes_of(data, rng)
    lines = [json.loads(line) for line in data.splitlines()]
    for _ in range(rng.choice((1, 1, 2, 5))):
        line = rng.choice(lines)
        if rng.random() < 0.7:
            names = ("sidecar",) if "sidecar" in line else ("from", "to")
            line[rng.choice(names)] = places(root, rng)
        else:
            lines[lines.index(line)] = mutations.value_of(line, rng)
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def try_undo(tmp_path, contrique, monkeypatch, count: Count, most: int) -> None:
    rng = Random(0)
    for number in count.within(range(most)):
        root = tmp_path / str(number)
        desk = make(root, monkeypatch)
        before = contents(root)
        contrique(
            *("select", "--from", "r.csv", "--to", "to", "--move", "--sidecars", "-q"),
            *("--undo-file", "u"),
        )
        (desk / "u").write_bytes(mutate_undo((desk / "u").read_bytes(), root, rng))
        if rng.random() < 0.2 and not os.listdir(desk / "b"):
            (desk / "b").rmdir()
            (desk / "b").symlink_to(rng.choice(("to", "../home", "a")))
        text = (desk / "u").read_bytes()
        with count.one(about=text):
            done = contrique("undo", "u", *rng.choice(((), ("--base", root))))
            assert done.status in (0, 1, 2, 3)
            assert not lacks(before, root)
            assert set(os.listdir(root / "home")) >= {"id_rsa", "mine.jpg"}
            assert (root / "home" / "id_rsa").read_text() == "secret"
            assert "\x1b" not in done.out + done.err


def test_hostile_undo_files_lose_nothing(tmp_path, contrique, monkeypatch):
    with Count("undo files") as count:
        try_undo(tmp_path, contrique, monkeypatch, count, 25)


@pytest.mark.slow
def test_many_hostile_undo_files_lose_nothing(tmp_path, contrique, monkeypatch):
    with Count("undo files", seconds=LONG) as count:
        try_undo(tmp_path, contrique, monkeypatch, count, 3000)


def try_ratings(tmp_path, contrique, monkeypatch, count: Count, most: int) -> None:
    """Sidecars stay or are put back; nothing else is ever written, least of all outside."""
    rng = Random(0)
    paths = ("a/x.jpg", "a/y.jpg", "b/x.jpg", "b/z.jpg")
    for number in count.within(range(most)):
        root = tmp_path / str(number)
        desk = make(root, monkeypatch)
        (desk / "a" / "x.jpg.xmp").write_text(DARKTABLE)
        (root / "home" / "mine.jpg.xmp").write_text(DARKTABLE)
        before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
        photos = [{"path": path, "rating": rng.randrange(-1, 6)} for path in paths]
        document = {"format": "contrique-picks", "version": 1, "folder": str(desk)}
        text = json.dumps(document | {"photos": photos}).encode()
        if rng.random() < 0.5:
            text = mutations.bytes_of(text, rng)
        (desk / "picks").write_bytes(text)
        with count.one(about=text):
            done = contrique("rate", "--from", "picks", "--undo-file", "u")
            assert done.status in (0, 1, 2, 3)
            if (desk / "u").exists():
                (desk / "u").write_bytes(mutate_undo((desk / "u").read_bytes(), root, rng))
                done = contrique("undo", "u", *rng.choice(((), ("--base", root))))
                assert done.status in (0, 1, 2, 3)
            assert "\x1b" not in done.out + done.err
        after = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
        changed = {path for path in {*before, *after} if before.get(path) != after.get(path)}
        changed -= {desk / "picks", desk / "u"}
        assert {path.suffix for path in changed} <= {".xmp"}
        assert {path.parent.parent for path in changed} <= {desk}


def test_hostile_lists_of_picks_and_their_undo_files_write_sidecars_only(
    tmp_path, contrique, monkeypatch
):
    with Count("lists of picks") as count:
        try_ratings(tmp_path, contrique, monkeypatch, count, 30)


@pytest.mark.slow
def test_many_hostile_lists_of_picks_write_sidecars_only(tmp_path, contrique, monkeypatch):
    with Count("lists of picks", seconds=LONG) as count:
        try_ratings(tmp_path, contrique, monkeypatch, count, 2000)


def mutate_report(data: bytes, root: Path, rng: Random) -> bytes:
    act = rng.randrange(4)
    if act == 0:
        return mutations.bytes_of(data, rng)
    rows = [line.split(",") for line in data.decode().splitlines()]
    if act == 1:
        row = rng.choice(rows[1:])
        row[0] = '"' + places(root, rng).replace('"', '""') + '"'
        return "\n".join(map(",".join, rows)).encode(errors="surrogateescape")
    photos = [{"path": path, "score": float(score)} for path, score in rows[1:]]
    for photo in photos:
        if rng.random() < 0.3:
            photo["path"] = places(root, rng)
    document = mutations.value_of({"schema": 1, "photos": photos}, rng)
    text = json.dumps(document) if rng.random() < 0.9 else mutations.DEEP
    return text.encode()


def try_reports(tmp_path, contrique, monkeypatch, count: Count, most: int) -> None:
    rng = Random(0)
    for number in count.within(range(most)):
        root = tmp_path / str(number)
        desk = make(root, monkeypatch)
        before = contents(root)
        (desk / "r.csv").write_bytes(mutate_report((desk / "r.csv").read_bytes(), root, rng))
        action = rng.choice(("--copy", "--move", "--symlink"))
        with count.one(about=(desk / "r.csv").read_bytes()[:500]):
            done = contrique("select", "--from", "r.csv", "--to", "to", action, "--sidecars")
            assert done.status in (0, 1, 2, 3)
            assert not lacks(before, root)
            assert sorted(os.listdir(root / "home")) == ["id_rsa", "mine.jpg"]
            made = os.listdir(desk / "to") if (desk / "to").exists() else []
            assert not any("secret" in (desk / "to" / name).read_text("latin-1") for name in made)


def test_hostile_reports_take_nothing_but_photos(tmp_path, contrique, monkeypatch):
    with Count("reports") as count:
        try_reports(tmp_path, contrique, monkeypatch, count, 60)


@pytest.mark.slow
def test_many_hostile_reports_take_nothing_but_photos(tmp_path, contrique, monkeypatch):
    with Count("reports", seconds=LONG) as count:
        try_reports(tmp_path, contrique, monkeypatch, count, 3000)
