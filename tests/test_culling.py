"""What people who cull look for in a report: their own stars, and every flaw by itself."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contrique_cli import read_report
from contrique_cli.encoder.cache import recall
from contrique_cli.models import flaws
from contrique_cli.models.flaws import FlawProbe
from contrique_cli.reports import reading
from contrique_cli.reports.rows import Row, rank, to_bytes
from tests.conftest import make_photo
from tests.dng import save_dng
from tests.sidecars import packet

pytestmark = pytest.mark.usefixtures("tiny_regressor")
TINY = ("--regressor", "tiny", "--device", "cpu", "--quiet")


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """card/ in the current folder: photos rated in a sidecar, inside, both, by us, and not."""
    monkeypatch.chdir(tmp_path)
    folder = Path("card")
    folder.mkdir()
    for seed, name in enumerate(["beside", "both", "bad", "none", "ours"]):
        make_photo(seed, 64, 48).save(folder / f"{name}.jpg")
    for name, inside in (("inside", "5"), ("rejected", "-1"), ("both", "2")):
        make_photo(9, 64, 48).save(folder / f"{name}.jpg", xmp=packet(f'xmp:Rating="{inside}"'))
    (folder / "beside.XMP").write_bytes(packet('xmp:Rating="3"'))
    (folder / "both.jpg.xmp").write_bytes(packet('xmp:Rating="4"'))
    (folder / "bad.xmp").write_bytes(b"<no XMP")
    ours = packet('xmlns:c="urn:contrique:xmp:1/" xmp:Rating="1" c:GivenRating="1"')
    (folder / "ours.jpg.xmp").write_bytes(ours)
    return folder


STARS = {
    "beside": 3,
    "both": 4,
    "inside": 5,
    "rejected": -1,
    "bad": None,
    "none": None,
    "ours": None,
}


def ratings(path: str) -> dict[str, float | None]:
    if path.endswith(".csv"):
        table = csv.DictReader(io.StringIO(Path(path).read_text()))
        found = {row["path"]: float(row["rating"]) if row["rating"] else None for row in table}
    elif path.endswith(".json"):
        photos = json.loads(Path(path).read_text())["photos"]
        found = {row["path"]: row["rating"] for row in photos}
    else:
        frame = read_report(path).astype(object)
        found = dict(
            zip(frame["path"], frame["rating"].where(frame["rating"].notna(), None), strict=True)
        )
    return {Path(name).stem: stars for name, stars in found.items()}


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_a_report_has_a_persons_stars_on_the_first_run_and_on_a_second(
    card, contrique, monkeypatch, form
):
    if form == "parquet":
        pytest.importorskip("pyarrow")
    assert contrique("score", card, "--output", f"first.{form}", *TINY).status == 0
    assert ratings(f"first.{form}") == STARS
    monkeypatch.setattr(recall._Queue, "take_misses", None)  # all is remembered
    monkeypatch.setattr(os, "listdir", counted := Counted(os.listdir))
    assert contrique("score", card, "--output", f"second.{form}", *TINY).status == 0
    assert Path(f"second.{form}").read_bytes() == Path(f"first.{form}").read_bytes()
    assert counted.of.count(card) == 1  # however many photos there are


class Counted:
    """A function that notes what it is called with."""

    def __init__(self, function):
        self.function = function
        self.of = []

    def __call__(self, *given):
        self.of += given
        return self.function(*given)


def test_select_keeps_the_stars_chooses_and_sorts_by_them(card, contrique):
    contrique("score", card, "--output", "report.csv", *TINY)
    contrique("select", "--from", "report.csv", "--by", "rating", "--output", "best.csv", "--quiet")
    assert ratings("best.csv") == STARS
    table = csv.DictReader(io.StringIO(Path("best.csv").read_text()))
    assert [row["rating"] for row in table] == ["5", "4", "3", "-1", "", "", ""]
    done = contrique("select", "--from", "report.csv", "--where", "rating>=4", "--list")
    assert sorted(Path(name).stem for name in done.out.split()) == ["both", "inside"]


def test_the_stars_of_a_companion_are_those_of_the_pair(card, contrique):
    pytest.importorskip("rawpy")
    save_dng(card / "none.dng", make_photo(7, 160, 120))
    (card / "none.dng.xmp").write_bytes(packet('xmp:Rating="2"'))
    contrique("score", card, "--output", "report.csv", *TINY)
    assert ratings("report.csv") == STARS | {"none": 2}


@pytest.fixture
def probe(tiny, tiny_regressor, home: Path) -> Path:
    """A flaw probe for the tiny encoder."""
    weights = np.random.default_rng(4).normal(0, 20, (2 * tiny.length, 3)).astype(np.float32)
    path = home / "flaws" / "tiny.safetensors"
    path.parent.mkdir()
    flaws.save(
        path,
        FlawProbe(
            names=["none", "blur", "banding noise"],
            weights=weights,
            bias=np.zeros(3, np.float32),
            confidence=0.5,
            encoder=tiny_regressor.encoder,
        ),
    )
    return path


def read(path: str | Path) -> list[Row]:
    return reading.read(Path(path).read_bytes(), "report")


def columns(path: str) -> list[str]:
    return Path(path).read_text().splitlines()[0].split(",")


@pytest.mark.usefixtures("probe")
def test_with_flaws_csv_has_a_column_for_each(card, contrique):
    contrique("score", card, "--output", "plain.csv", *TINY)
    assert {"flaw_blur", "flaw_banding_noise"} & set(columns("plain.csv")) == set()
    assert contrique("score", card, "--flaws", "--output", "report.csv", *TINY).status == 0
    assert {"flaw_blur", "flaw_banding_noise"} <= set(columns("report.csv"))
    contrique("score", card, "--output", "report.json", *TINY)
    assert [row.flaws for row in read("report.csv")] == [row.flaws for row in read("report.json")]
    contrique("select", "--from", "report.csv", "--output", "again.csv", "--quiet")
    assert Path("again.csv").read_text() == Path("report.csv").read_text()


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (("--by", "flaw_blur"), "b c a d"),
        (("--by", "flaw_blur", "--reverse"), "a c b d"),
        (("--by", "flaw_blur", "--top", 1), "b"),
        (("--by", "score"), "a b c d"),
        (("--by", "rank", "--reverse"), "d c b a"),
        (("--by", "width"), "d c b a"),
        (("--where", "flaw_blur>=0.5"), "a c"),
        (("--where", "flaw_blur>=0.5", "--where", "score < 25"), "c"),
        (("--where", "flaw_blur!=0.9"), "b c d"),
        (("--where", "flaw=Blur"), "a"),
        (("--where", "burst_kind!=bracket"), "a b d"),
        (("--where", "burst_best=true"), "b"),
    ],
)
def test_select_sorts_and_filters_by_any_column(contrique, tmp_path, form, wanted, expected):
    rows = [
        Row(path=Path("a.jpg"), score=40.0, flaw="blur", flaws=(("blur", 0.9), ("noise", 0.1))),
        Row(path=Path("b.jpg"), score=30.0, flaws=(("blur", 0.1),), burst=1, is_burst_best=True),
        Row(path=Path("c.jpg"), score=20.0, flaws=(("blur", 0.5),), burst=2, burst_kind="bracket"),
        Row(path=Path("d.jpg"), score=10.0),
    ]
    rows = [replace(row, width=index) for index, row in enumerate(rows, start=1)]
    report = tmp_path / f"report.{form}"
    report.write_bytes(to_bytes(rank(rows), form, {}, has_flaws=True))
    done = contrique("select", "--from", report, *wanted, "--output", tmp_path / "chosen.json")
    assert done.status == 0
    assert " ".join(row.path.stem for row in read(tmp_path / "chosen.json")) == expected


def test_flaws_that_are_not_there_are_missed_in_words(card, contrique):
    done = contrique("score", card, "--flaws", *TINY)
    assert (done.status, "no flaw probe is installed" in done.err) == (2, True)
    contrique("score", card, "--output", "report.csv", *TINY)
    for wanted in (("--by", "flaw_blur"), ("--where", "flaw_blur>0.5")):
        done = contrique("select", "--from", "report.csv", *wanted)
        assert (done.status, "`contrique score --flaws`" in done.err) == (1, True)
    done = contrique("select", "--from", "report.csv", "--by", "path")
    assert (done.status, "holds no numbers" in done.err) == (1, True)


@pytest.mark.parametrize("where", [" ", "rating", "rating>", "rating>many", "=3", "rating=>3"])
def test_a_condition_that_makes_no_sense_is_refused(contrique, where):
    done = contrique("select", "--from", "none.csv", "--where", where)
    assert (done.status, f"--where {where}" in done.err) == (2, True)
