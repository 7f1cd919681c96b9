"""A person's stars as opinions: found and grouped, fitted, blended, and measured honestly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contrique_cli import config
from contrique_cli.encoder.checkpoint import EncoderInfo
from contrique_cli.errors import BadLabels
from contrique_cli.models import regressor
from contrique_cli.models.regressor import Regressor
from contrique_cli.opinions import taste
from contrique_cli.opinions.dataset import Dataset
from tests.conftest import blurred, make_photo
from tests.dng import save_dng
from tests.sidecars import packet

SIDE = 64
F = 12


def info(fingerprint: str = "f") -> EncoderInfo:
    found = object.__new__(EncoderInfo)
    object.__setattr__(found, "fingerprint", fingerprint)
    return found


def rated(count: int, *, noise: float, seed: int = 0) -> tuple[Dataset, np.ndarray]:
    """Photos of 20 days whose stars follow one direction of the features."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, F)).astype(np.float32)
    direction = rng.normal(size=F)
    wanted = features @ direction / np.linalg.norm(direction) + noise * rng.normal(size=count)
    stars = np.clip(np.round(3 + 1.2 * wanted), 1, 5)
    made = Dataset(
        features=features,
        mos=stars,
        groups=rng.integers(20, size=count),
        group_column="day",
        task=regressor.NO_REFERENCE,
        marks=[""] * count,
        left_out=[],
        notes=[],
    )
    return made, direction


def known(weights: np.ndarray, *, higher_is_better: bool = True) -> Regressor:
    ends = np.array([-3.0, 3.0])
    return Regressor(
        weights=weights.astype(np.float32),
        bias=7.0,
        knots=ends if higher_is_better else -ends,
        scores=np.array([0.0, 100.0]),
        higher_is_better=higher_is_better,
        task=regressor.NO_REFERENCE,
        encoder="f",
        max_side=SIDE,
    )


def fit(gathered: Dataset, other: Regressor, blend: float = 0.0):
    return taste.fit_stars(gathered, info(), other, blend=blend, provenance={})


def test_more_stars_agree_better_and_the_interval_holds_the_value(monkeypatch):
    monkeypatch.setattr(config, "CURVE", (20, 80, 1000))
    monkeypatch.setattr(config, "RESAMPLES", 100)
    gathered, direction = rated(160, noise=0.7)
    against = np.roll(direction, 5)
    found, _ = fit(gathered, known(against))
    assert [step.n for step in found.curve] == [20, 80, None]
    few, some, full = (step.srocc.value for step in found.curve)
    assert few < some <= full + 0.02
    assert found.interval.low <= found.interval.value <= found.interval.high
    assert found.interval.high - found.interval.low < 0.4
    assert found.enough in (20, 80, 160)
    assert found.blended is None


def test_a_known_taste_that_is_the_persons_own_is_hard_to_beat(monkeypatch):
    monkeypatch.setattr(config, "RESAMPLES", 50)
    gathered, direction = rated(40, noise=0.9)
    found, _ = fit(gathered, known(direction))
    assert found.known.value > found.curve[-1].srocc.value
    assert found.enough is None


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_a_blend_is_the_mean_of_both_in_standard_deviations(monkeypatch, higher_is_better):
    monkeypatch.setattr(config, "RESAMPLES", 20)
    gathered, direction = rated(120, noise=0.5)
    sign = 1.0 if higher_is_better else -1.0
    other = known(sign * np.roll(direction, 3), higher_is_better=higher_is_better)
    _, alone = fit(gathered, other)
    found, made = fit(gathered, other, 0.5)
    mine, theirs, both = (
        one.to_quality(one.predict(gathered.features)) for one in (alone, other, made)
    )

    def standard(values):
        return (values - values.mean()) / values.std()

    # The person's part is measured by predictions for photos left out, which vary a little less.
    assert np.corrcoef(both, standard(mine) + standard(theirs))[0, 1] > 0.995
    assert made.provenance["blend"] == 0.5
    assert found.blended is not None
    scores = made.to_score(made.predict(gathered.features))
    assert 40 < scores.mean() < 60


def test_nothing_is_learned_from_stars_by_chance(monkeypatch):
    monkeypatch.setattr(config, "RESAMPLES", 50)
    gathered, direction = rated(100, noise=0.5)
    shuffled = np.random.default_rng(1).permutation(gathered.mos)
    found, _ = fit(replace(gathered, mos=shuffled), known(direction))
    assert abs(found.curve[-1].srocc.value) < 0.3


def shoot(folder: Path, moments: list[str | None]) -> None:
    """Photos taken at these moments, rated by sidecar or inside."""
    for number, moment in enumerate(moments):
        exif = Image.Exif()
        if moment is not None:
            exif.get_ifd(0x8769)[0x9003] = moment
        stars = packet(f'xmp:Rating="{1 + number % 5}"')
        path = folder / f"{number:02}.jpg"
        make_photo(number, 32, 24).save(path, exif=exif, **({"xmp": stars} if number % 2 else {}))
        if not number % 2:
            Path(f"{path}.xmp").write_bytes(stars)


def test_photos_are_grouped_by_day_and_on_few_days_by_pauses(tmp_path):
    shoot(tmp_path, [f"2024:05:{1 + day:02} 10:00:00" for day in range(5)] * 2)
    found = taste.find_stars(tmp_path)
    assert (found.group_column, len({row.group for row in found.rows})) == ("burst and day", 5)
    assert [row.mos for row in found.rows] == [1, 2, 3, 4, 5] * 2
    other = tmp_path / "other"
    other.mkdir()
    shoot(other, [f"2024:05:01 1{hour}:00:0{second}" for hour in range(6) for second in range(2)])
    found = taste.find_stars(other)
    assert (found.group_column, len({row.group for row in found.rows})) == ("burst and series", 6)


def groups_of(folder: Path) -> dict[str, str | None]:
    return {row.path.stem: row.group for row in taste.find_stars(folder).rows}


def test_a_burst_joins_the_two_days_it_was_taken_on_and_a_copy_has_the_day_of_its_photo(tmp_path):
    """Issue 18.3: grouped by burst and by day, so that the printed agreement is honest."""
    days = [f"2024:05:{day:02} 10:00:00" for day in range(10, 15)]
    shoot(tmp_path, [*days, "2024:05:01 23:59:59", "2024:05:02 00:00:01", "2024:05:02 10:00:00"])
    night = make_photo(99, 96, 64)
    for name in ("05", "06"):
        with Image.open(tmp_path / f"{name}.jpg") as photo:
            night.save(tmp_path / f"{name}.jpg", exif=photo.getexif(), xmp=packet('xmp:Rating="3"'))
    copies = tmp_path / "exports"
    copies.mkdir()
    for name in ("00", "01"):
        with Image.open(tmp_path / f"{name}.jpg") as photo:
            photo.save(copies / f"copy{name}.jpg", quality=95, xmp=packet('xmp:Rating="3"'))
    found = groups_of(tmp_path)
    assert found["05"] == found["06"] == found["07"]
    assert found["copy00"] == found["00"] != found["copy01"] == found["01"]
    assert len(set(found.values())) == 6


def test_a_raw_file_and_its_jpeg_are_one_opinion(tmp_path):
    pytest.importorskip("rawpy")
    for name in ("a", "b"):
        make_photo(1, 160, 120).save(tmp_path / f"{name}.jpg")
        save_dng(tmp_path / f"{name}.dng", make_photo(7, 160, 120))
    (tmp_path / "a.xmp").write_bytes(packet('xmp:Rating="4"'))
    (tmp_path / "b.dng.xmp").write_bytes(packet('xmp:Rating="2"'))
    found = {row.path.name: row.mos for row in taste.find_stars(tmp_path).rows}
    assert found == {"a.jpg": 4, "b.jpg": 2}


def test_photos_of_a_single_moment_have_no_groups(tmp_path):
    shoot(tmp_path, [None] * 3)
    assert taste.find_stars(tmp_path).group_column is None


def test_bad_xmp_leaves_its_photo_out_and_no_stars_at_all_are_an_error(tmp_path):
    make_photo(0, 32, 24).save(tmp_path / "a.jpg")
    (tmp_path / "a.xmp").write_text('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')
    with pytest.raises(BadLabels, match="of 1 photo none has stars"):
        taste.find_stars(tmp_path)
    make_photo(1, 32, 24).save(tmp_path / "b.jpg", xmp=packet('xmp:Rating="2"'))
    (left_out,) = taste.find_stars(tmp_path).left_out
    assert (left_out.path.name, "DOCTYPE" in left_out.reason) == ("a.jpg", True)


@pytest.mark.usefixtures("tiny_regressor")
def test_a_persons_stars_are_fitted_and_rank_from_the_command_line(
    contrique, tmp_path, monkeypatch
):
    monkeypatch.setattr(config, "RESAMPLES", 50)
    folder = tmp_path / "mine"
    folder.mkdir()
    for number in range(30):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = f"2024:05:{1 + number % 6:02} 10:00:00"
        picture = blurred(make_photo(number % 6, 64, 48), number / 8)
        picture.save(
            folder / f"{number:02}.jpg", exif=exif, xmp=packet(f'xmp:Rating="{5 - number // 6}"')
        )
    tiny = ("--model", "tiny", "--device", "cpu")
    done = contrique("fit-regressor", "--ratings", folder, *tiny, "--blend", 0.5)
    assert done.status == 0, done.err
    assert "0, as tiny ranks" in done.out
    assert "0.5 of tiny blended in" in done.out
    assert "by burst and day (6 groups" in " ".join(done.out.split())
    assert "95 % interval" in done.err
    scored = contrique("score", folder, "--regressor", "mine", "--device", "cpu")
    assert scored.status == 0
    gone = contrique("fit-regressor", "--ratings", tmp_path / "gone", *tiny)
    assert (gone.status, "gone is no folder" in gone.err) == (2, True)
    for wrong in (("--mos", "t.csv"), ("--group", "day")):
        assert contrique("fit-regressor", "--ratings", folder, *wrong, *tiny).status == 2
    assert contrique("fit-regressor", *tiny).status == 2
