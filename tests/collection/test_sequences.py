"""What a group of shots is: told by the camera, or by exposures and by where the view moves."""

from __future__ import annotations

import csv
import io
from collections import Counter
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from contrique_cli.collection import likeness, sequences
from contrique_cli.collection.likeness import Shot
from contrique_cli.photos import exif, opening
from contrique_cli.photos.exif import Exposure
from tests.conftest import make_photo
from tests.dng import RATIONAL, SHORT, save_dng

START = datetime(2026, 5, 1, 12)  # noqa: DTZ001 - a camera's own clock


def exposed(image: Image.Image, stops: float) -> Image.Image:
    samples = np.asarray(image, dtype=np.float64) * 2 ** (stops / 2.2)
    return Image.fromarray(samples.clip(0, 255).astype(np.uint8))


def save(path: Path, image: Image.Image, second: float, *, mode: int | None = None, **tags) -> None:
    """`bias` in stops, `time` as one part of a second, as cameras write them."""
    data = Image.Exif()
    camera = data.get_ifd(0x8769)
    camera[0x9003] = f"{START + timedelta(seconds=int(second)):%Y:%m:%d %H:%M:%S}"
    camera[0x9291] = f"{round(second % 1 * 100):02}"
    if mode is not None:
        camera[0xA402] = mode
    if "bias" in tags:
        camera[0x9204] = IFDRational(round(tags["bias"] * 3), 3)
    if "time" in tags:
        camera[0x829A] = IFDRational(1, tags["time"])
    image.save(path, exif=data, quality=92)


def shot(image: Image.Image, second: float, **exposure) -> Shot:
    pixels = np.asarray(image.resize((64, 43), Image.Resampling.LANCZOS))
    return Shot(
        path=Path(f"{second:09.2f}.jpg"),
        taken=START + timedelta(seconds=second),
        hash=likeness.perceptual_hash(pixels),
        exposure=Exposure(**exposure),
        grey=likeness.grey(pixels),
    )


def test_the_exposure_is_read_or_nothing_is_known(tmp_path):
    save(tmp_path / "a.jpg", make_photo(), 0, mode=2, bias=-2, time=400)
    found = opening.open_rgb(tmp_path / "a.jpg", max_side=64).exposure
    assert found.is_bracketed
    assert found.bias == pytest.approx(-2)
    assert found.stops == pytest.approx(np.log2(100 / 400))
    make_photo().save(tmp_path / "b.jpg")
    assert opening.open_rgb(tmp_path / "b.jpg", max_side=64).exposure == Exposure()


@pytest.mark.parametrize("value", [IFDRational(0, 0), (), "x", None, float("nan"), -1])
def test_a_tag_that_is_no_number_says_nothing(value):
    assert exif._number(value) is None


def bracket(biases, **more):
    return [
        Shot(path=Path(str(n)), taken=START, hash=0, exposure=Exposure(bias=bias, **more))
        for n, bias in enumerate(biases)
    ]


@pytest.mark.parametrize(
    ("biases", "expected"),
    [
        ((0, -2, 2), "bracket"),
        ((0, -1, 1, 0, -1, 1), "bracket"),  # two sets in one go
        ((-2 / 3, 0, 2 / 3), "burst"),  # too near for a bracket without a word of the camera
        ((0, 0, 0, 0), "burst"),
        ((0, 0, -2), "burst"),  # somebody turned the wheel
        ((0, -3, -2.7), "burst"),
        ((None, -2, 2), "burst"),
    ],
)
def test_without_a_word_of_the_camera_even_steps_make_a_bracket(biases, expected):
    assert sequences.kind(bracket(biases)) == expected


def test_a_camera_is_believed():
    assert sequences.kind(bracket((0, 0.3), is_bracketed=True)) == "bracket"


def test_a_lens_that_moves_one_way_makes_a_focus_bracket():
    shots = [
        Shot(path=Path(str(n)), taken=START, hash=0, exposure=Exposure(distance=distance))
        for n, distance in enumerate((0.5, 0.6, 0.8, 1.1))
    ]
    assert sequences.kind(shots) == "bracket"
    assert sequences.kind([shots[0], shots[2], shots[1], shots[3]]) == "burst"


@cache
def scene_of(number: int) -> Image.Image:
    return make_photo(number, 480, 200)


def simulate(rng: np.random.Generator, number: int) -> tuple[str, list[Shot]]:
    """One set as it may come from a camera."""
    kind = ("burst", "bracket", "panorama", "single")[number % 4]
    scene = scene_of(number % 40)
    start = number * 60.0
    if kind == "bracket":
        width = float(rng.choice([1, 2]))
        view, steps = scene.crop((80, 20, 320, 180)), (0.0, -width, width)
        tag = bool(rng.random() < 0.5)
        return kind, [
            shot(exposed(view, step), start + n, bias=step, stops=step, is_bracketed=tag)
            for n, step in enumerate(steps)
        ]
    if kind == "panorama":
        step = int(rng.integers(50, 110))
        lefts = list(range(0, 241, step))[: int(rng.integers(3, 6))]
        shots = [
            shot(
                exposed(
                    scene.crop((left, (up := int(rng.integers(16, 24))), left + 240, up + 160)), 0
                ),
                start + 1.5 * n,
                stops=float(rng.normal(0, 0.1)),
            )
            for n, left in enumerate(lefts)
        ]
        return (kind if len(shots) >= 3 else "few"), shots
    frames = int(rng.integers(3, 7)) if kind == "burst" else 1
    shots = []
    for n in range(frames):
        left, up = (int(rng.integers(77, 84)), int(rng.integers(18, 23)))
        light = float(rng.normal(0, 0.15))
        view = exposed(scene.crop((left, up, left + 240, up + 160)), light)
        shots.append(shot(view, start + 0.3 * n, bias=0.0, stops=light))
    return kind, shots


def test_of_400_mixed_sets_nearly_all_are_told_apart(monkeypatch):
    from contrique_cli.collection import bursts

    rng = np.random.default_rng(18)
    sets = [simulate(rng, number) for number in range(400)]
    shots = [one for _, members in sets for one in members]
    found = {one: kind for kind, members in bursts.groups(shots, gap=3.0) for one in members}
    told: Counter[tuple[str, str]] = Counter()
    start = 0
    for truth, members in sets:
        kinds = {found.get(start + index, "single") for index in range(len(members))}
        told[truth, kinds.pop() if len(kinds) == 1 else "mixed"] += 1
        start += len(members)
    print(dict(told))
    right = {truth: told[truth, truth] for truth in ("burst", "bracket", "panorama", "single")}
    assert right["bracket"] >= 97
    assert right["burst"] >= 95
    assert right["panorama"] >= 95
    assert right["single"] == 100
    assert told["bracket", "burst"] == 0  # nothing that is needed is thinned
    assert told["panorama", "burst"] <= 2


@pytest.mark.usefixtures("tiny_regressor")
@pytest.mark.parametrize("kind", ["tagged", "times", "libraw", "preview"])
def test_a_bracket_of_raw_files_is_one(contrique, tmp_path, monkeypatch, kind):
    """Who brackets mostly shoots RAW: tags of the file, LibRaw's times, or the preview's tags."""
    pytest.importorskip("rawpy")
    if kind == "libraw":  # a RAW file that is no TIFF
        monkeypatch.setattr(exif, "read_raw_exposure", lambda _file: exif.UNKNOWN)
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, stops in enumerate((0, -2, 2)):
        view, preview = exposed(make_photo(3, 320, 220), stops), None
        time = (0x829A, RATIONAL, [0.01 * 2**stops])
        tags = [] if kind == "preview" else [time]
        if kind == "tagged":
            tags = [(0xA402, SHORT, [2])]
        if kind == "preview":
            save(tmp_path / "preview.jpg", view, number, bias=stops)
            preview = (tmp_path / "preview.jpg").read_bytes()
            preview = preview[:2] + preview[20:]  # begins with its Exif, as cameras' do
        save_dng(
            folder / f"{number}.dng", view, preview=preview,
            taken=f"2026:05:01 12:00:{number:02}", exposure=tags,
        )  # fmt: skip
    done = contrique(
        *("score", folder, "--bursts", 3, "--regressor", "tiny", "--device", "cpu", "--format"),
        "csv",
    )
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [row["burst_kind"] for row in rows] == ["bracket"] * 3


@pytest.mark.usefixtures("tiny_regressor")
def test_a_bracket_is_kept_whole_and_a_burst_is_thinned(contrique, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    motif, other = make_photo(3, 320, 220), make_photo(4, 320, 220)
    for number, stops in enumerate((0, -2, 2)):
        save(folder / f"b{number}.jpg", exposed(motif, stops), number, bias=stops)
    for number in range(3):
        save(folder / f"a{number}.jpg", other, 100 + number)
    report = tmp_path / "report.csv"
    done = contrique(
        *("score", folder, "--bursts", 3, "--output", report, "--regressor", "tiny"),
        *("--device", "cpu"),
    )
    assert "1 bracket with 3 photos" in done.err
    rows = {Path(row["path"]).stem: row for row in csv.DictReader(io.StringIO(report.read_text()))}
    assert {name: row["burst_kind"] for name, row in rows.items()} == dict.fromkeys(
        ("a0", "a1", "a2"), "burst"
    ) | dict.fromkeys(("b0", "b1", "b2"), "bracket")
    assert {rows[name]["burst_best"] for name in ("b0", "b1", "b2")} == {""}
    kept = contrique("select", "--from", report, "--burst-best-only", "--list").out.split()
    assert sorted(Path(path).stem for path in kept)[1:] == ["b0", "b1", "b2"]
    assert len(kept) == 4
