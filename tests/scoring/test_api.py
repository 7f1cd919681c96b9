"""`from contrique_cli import Scorer`: typed results, the scores of the command, no exceptions."""

from __future__ import annotations

import io
import json
import pickle
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from contrique_cli import Score, Scorer
from contrique_cli.encoder import merged
from contrique_cli.errors import RegressorMismatch, UnknownModel
from tests.conftest import ROOT, make_photo
from tests.dng import save_dng


@pytest.fixture
def scorer(tiny_regressor) -> Scorer:
    return Scorer(regressor="tiny", device="cpu")


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, contrique_cli; print({'torch', 'numpy', 'PIL', 'typer'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert done.stdout.strip() == b"set()"


def test_a_name_it_does_not_have_is_an_attribute_error():
    import contrique_cli

    with pytest.raises(AttributeError, match="no_such_name"):
        _ = contrique_cli.no_such_name


def test_the_scores_are_those_of_the_command(scorer, contrique, photos):
    done = contrique("score", photos, "--format", "jsonl", "--regressor", "tiny", "--device", "cpu")
    rows = [json.loads(line) for line in done.out.splitlines()]
    found = scorer.score(photos)
    assert [(str(one.path), one.width, one.height) for one in found] == [
        (row["path"], row["width"], row["height"]) for row in rows
    ]
    assert [one.score for one in found] == pytest.approx([row["score"] for row in rows], abs=0.005)
    assert [one.raw for one in found] == pytest.approx([row["raw"] for row in rows], abs=1e-6)


def test_a_pair_in_a_folder_is_one_result_and_files_that_are_named_are_two(scorer, tmp_path):
    pytest.importorskip("rawpy")
    for seed, name in enumerate(["a.jpg", "b.jpg"]):
        make_photo(seed).save(tmp_path / name)
    for name in ("a.dng", "b.dng"):
        save_dng(tmp_path / name, make_photo(7, 160, 120))
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8\xff and no more")
    pair, broken = scorer.score(tmp_path)
    assert (pair.path, pair.companion) == (tmp_path / "a.jpg", tmp_path / "a.dng")
    assert (broken.path, broken.companion) == (tmp_path / "b.dng", tmp_path / "b.jpg")
    assert "scored instead of b.jpg" in broken.note
    frame = scorer.frame(tmp_path)
    assert list(frame["companion"]) == [str(tmp_path / name) for name in ("a.dng", "b.jpg")]
    named = [tmp_path / "a.jpg", tmp_path / "a.dng"]
    found = scorer.score([*named, tmp_path])
    assert [(one.path, one.companion) for one in found[:2]] == [(path, None) for path in named]
    assert found[2:] == [pair, broken]


def test_one_photo_gives_the_same_score_in_every_form(scorer, tmp_path):
    image = make_photo(1)
    image.save(tmp_path / "a.png")
    samples = np.array(image)
    planes = torch.from_numpy(samples).permute(2, 0, 1)
    forms = [
        str(tmp_path / "a.png"),
        tmp_path / "a.png",
        image,
        samples,
        samples / 255.0,
        planes,
        planes / 255.0,
    ]
    found = scorer.score(forms)
    assert len({one.score for one in found}) == 1
    assert {(one.width, one.height, one.error) for one in found} == {(160, 120, None)}
    assert [one.path for one in found] == [tmp_path / "a.png"] * 2 + [None] * 5


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview, io.BytesIO])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_the_bytes_of_a_file_have_the_score_of_the_file(scorer, tmp_path, wrap, suffix):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / f"a.{suffix}"
    make_photo(1, 1200, 900).save(path, exif=exif, quality=95)  # a JPEG is decoded reduced
    of_file, of_bytes = scorer.score([path, wrap(path.read_bytes())])
    assert of_file.error is None
    assert replace(of_bytes, path=path) == of_file
    assert of_bytes.path is None
    assert scorer.score(wrap(path.read_bytes())) == [of_bytes]
    assert scorer.score_one(wrap(path.read_bytes())) == of_bytes


def test_an_open_file_is_read_from_where_it_stands_and_stays_open(scorer, photos, tmp_path):
    with tempfile.NamedTemporaryFile(dir=tmp_path) as file:  # not one of Python's own files
        file.write(b"header" + (photos / "a.jpg").read_bytes())
        file.seek(6)
        assert scorer.score_one(file).score == scorer.score_one(photos / "a.jpg").score
        assert not file.closed


def test_what_reads_as_text_or_not_at_all_is_a_result_with_a_reason(scorer, photos):
    closed = (photos / "a.jpg").open("rb")
    closed.close()
    with (photos / "a.jpg").open(encoding="latin-1") as text:
        reasons = [one.error for one in scorer.score([text, closed, b""])]
    assert reasons == [
        "neither a path nor a photo but TextIOWrapper",
        "read of closed file",
        "the file is empty",
    ]


def test_a_picture_follows_its_exif_orientation_and_stays_as_it_is(scorer, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    make_photo(1).save(tmp_path / "a.jpg", exif=exif, quality=95)
    with Image.open(tmp_path / "a.jpg") as picture:
        from_memory, from_file = scorer.score([picture, tmp_path / "a.jpg"])
        assert picture.size == (160, 120)
    assert (from_memory.score, from_memory.width) == (from_file.score, 120)


def test_a_batch_gives_a_result_per_picture(scorer):
    batch = torch.stack(
        [torch.from_numpy(np.array(make_photo(n))).permute(2, 0, 1) for n in (0, 1)]
    )
    assert scorer.score(batch) == [scorer.score_one(one) for one in batch]
    assert len(scorer.score(batch.permute(0, 2, 3, 1).numpy())) == 2


@pytest.mark.parametrize(
    ("item", "word"),
    [
        (np.zeros((64, 64, 4), np.uint8), "shape (64, 64, 4)"),
        (np.zeros((64, 64, 3), np.int32), "uint8"),
        (np.full((64, 64, 3), 1.5), "[0, 1]"),
        (np.full((64, 64, 3), np.nan), "[0, 1]"),
        (torch.zeros(64, 64, 3, 1, 1), "shape"),
        (torch.zeros(64, 64, 3), "shape"),
        (Image.new("RGB", (8, 8)), "too small"),
        (7, "int"),
        (None, "NoneType"),
        ("no/such/photo.jpg", "no such file"),
        ("", "an empty path"),
    ],
)
def test_what_is_no_photo_is_a_result_with_a_reason_among_the_others(scorer, photos, item, word):
    before, bad, after = scorer.score([photos / "a.jpg", item, photos / "b.jpg"])
    assert word in bad.error
    assert (bad.score, bad.raw, bad.width) == (None, None, None)
    assert (before.error, after.error) == (None, None)


def test_it_can_be_sent_to_another_process(scorer, photos):
    wanted = scorer.score_one(photos / "a.jpg")  # what is loaded by then does not go along
    sent = pickle.loads(pickle.dumps(scorer))  # noqa: S301 - our own
    assert sent.about == scorer.about
    assert sent.score_one(photos / "a.jpg") == wanted


def test_a_photo_named_twice_has_two_results(scorer, photos):
    found = scorer.score([photos / "a.jpg", photos / "a.jpg"])
    assert found[0] == found[1]


def test_a_file_alone_is_one_result_also_when_it_is_damaged(scorer, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no photo")
    found = scorer.score_one(tmp_path / "a.jpg")
    assert isinstance(found, Score)
    assert found.path == tmp_path / "a.jpg"
    assert found.error == "not a photo but a text"


def test_one_cannot_stand_for_a_folder(scorer, photos):
    with pytest.raises(ValueError, match="3 photos"):
        scorer.score_one(photos)


def test_a_stream_gives_results_before_its_source_ends(scorer):
    def endless():
        while True:
            yield make_photo(0)

    stream = scorer.stream(endless())
    assert next(stream) == next(stream)
    stream.close()


def test_nothing_gives_nothing(scorer):
    assert scorer.score([]) == []


def test_wrong_choices_are_exceptions_before_the_first_photo(tiny_regressor):
    with pytest.raises(UnknownModel):
        Scorer(regressor="nobody", device="cpu")
    with pytest.raises(RegressorMismatch):
        Scorer(regressor="tiny", device="cpu", max_side=77)


def test_it_says_which_model_it_is(scorer):
    assert scorer.about["regressor"] == "tiny"
    assert set(scorer.about) >= {"contrique", "encoder", "max_side"}


def test_a_model_may_be_given_as_a_path(tiny_regressor, home: Path):
    path = home / "regressors" / "tiny.safetensors"
    assert Scorer(regressor=path, device="cpu").about["regressor"] == "tiny"


def test_the_encoder_is_merged_once_however_often_a_photo_is_scored(scorer, photos, monkeypatch):
    merges, real = [], merged.merge
    monkeypatch.setattr(
        merged, "merge", lambda *args, **options: merges.append(1) or real(*args, **options)
    )
    first = scorer.score_one(photos / "a.jpg")
    assert scorer.score_one(photos / "a.jpg") == first
    assert len(scorer.score(photos)) == 3
    assert len(merges) == 1
