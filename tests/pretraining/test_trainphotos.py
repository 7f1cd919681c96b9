"""Where photos come from: folders, official lists, the probe's share."""

from __future__ import annotations

import pytest

from contrique_cli.errors import BadTrainingData
from contrique_cli.pretraining import trainphotos
from contrique_cli.pretraining.trainconfig import TrainConfig


def touch(folder, n, suffix="jpg"):
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(n):
        (folder / f"{index:03}.{suffix}").write_bytes(b"")
    return folder


def one_hot(index, n=126):
    return "[" + ", ".join("1" if i == index else "0" for i in range(n)) + "]"


def test_a_folder_of_two_halves_and_more_folders_are_joined(tmp_path):
    touch(tmp_path / "pristine", 3)
    touch(tmp_path / "authentic", 4)
    more = touch(tmp_path / "more", 2)
    found = trainphotos.gather(TrainConfig(data=str(tmp_path), authentic=(str(more),)))
    assert len(found.synthetic) == 3
    assert len(found.authentic) == 6


def test_one_half_alone_is_enough(tmp_path):
    found = trainphotos.gather(TrainConfig(authentic=(str(touch(tmp_path / "a", 5)),)))
    assert (len(found.synthetic), len(found.authentic)) == (0, 5)


@pytest.mark.parametrize("make", [True, False])
def test_no_photos_are_an_error_that_says_what_is_wanted(tmp_path, make):
    folder = tmp_path / "d"
    if make:
        folder.mkdir()
    with pytest.raises(BadTrainingData, match=r"at least 32|no folder"):
        trainphotos.gather(TrainConfig(data=str(folder)))


def test_the_probe_takes_a_twentieth_at_most_and_training_never_sees_it(tmp_path):
    touch(tmp_path / "pristine", 60)
    touch(tmp_path / "authentic", 100)
    found = trainphotos.gather(TrainConfig(data=str(tmp_path)))
    again = trainphotos.gather(TrainConfig(data=str(tmp_path)))
    assert found == again
    assert len(found.probe_synthetic) == len(found.probe_authentic) == 3
    assert not set(found.probe_synthetic) & set(found.synthetic)
    assert len(found.synthetic) == 57


def test_an_official_list_gives_paths_and_classes(tmp_path):
    path = tmp_path / "list.csv"
    rows = "\n".join(f'images/{index}.bmp,"{one_hot(index)}"' for index in (0, 7, 125))
    path.write_text(f"File_names,labels\n{rows}\n")
    found = trainphotos.gather(TrainConfig(pristine_list=str(path)))
    assert found.classes == (0, 7, 125)
    assert found.synthetic[1] == tmp_path / "images" / "7.bmp"


def test_labels_may_be_written_as_numpy_writes_them(tmp_path):
    path = tmp_path / "list.csv"
    label = one_hot(3).replace(", ", ".\n ").replace("]", ".]")
    path.write_text(f'File_names,labels\na.jpg,"{label}"\n')
    assert trainphotos.read_list(path, has_classes=True) == [(tmp_path / "a.jpg", 3)]


def test_a_list_of_ordinary_photos_needs_no_labels(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("File_names\na.jpg\nb.jpg\n")
    found = trainphotos.gather(TrainConfig(authentic_list=str(path)))
    assert [photo.name for photo in found.authentic] == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("names,labels\n", "lacks the column File_names"),
        ("File_names\na.jpg\n", "lacks the column labels"),
        (f'File_names,labels\na.jpg,"{one_hot(0)}"\nb.jpg,"{one_hot(0, 25)}"\n', "row 3.*25"),
        (f'File_names,labels\na.jpg,"{one_hot(200)}"\n', "row 2.*0 ones"),
        (f'File_names,labels\n,"{one_hot(0)}"\n', "row 2: no file name"),
    ],
)
def test_a_wrong_list_is_an_error_that_names_the_line(tmp_path, text, message):
    path = tmp_path / "list.csv"
    path.write_text(text)
    with pytest.raises(BadTrainingData, match=message):
        trainphotos.read_list(path, has_classes=True)


def test_a_list_and_photos_to_distort_are_not_mixed(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(f'File_names,labels\na.jpg,"{one_hot(0)}"\n')
    clean = str(touch(tmp_path / "p", 2))
    with pytest.raises(BadTrainingData, match="cannot be mixed"):
        trainphotos.gather(TrainConfig(pristine=(clean,), pristine_list=str(path)))


def test_a_missing_list_is_an_error(tmp_path):
    with pytest.raises(BadTrainingData, match="cannot be read"):
        trainphotos.read_list(tmp_path / "none.csv", has_classes=False)
