"""Tables of every kind from the command line: opinions fitted, reports acted on, or one line."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.files.test_tables import HOSTILE
from tests.opinion_tables import TINY, make_rated, opinions


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_rated(tmp_path_factory.mktemp("rated"))


@pytest.mark.usefixtures("tiny_regressor")
@pytest.mark.parametrize("option", [(), ("--lower-is-better",)])
def test_a_note_on_dmos_comes_only_where_no_direction_is_told(contrique, rated, tmp_path, option):
    table = tmp_path / "dmos.csv"
    opinions().rename(columns={"mos": "dmos"}).to_csv(table, index=False)
    args = ("--mos", table, "--photos", rated, "-o", tmp_path / "m.safetensors", *TINY)
    done = contrique("fit-regressor", *args, *option)
    assert done.status == 0
    assert ("KADID-10k" in done.err and "LIVE" in done.err) == (not option)


@pytest.mark.usefixtures("tiny_regressor")
@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_table_or_report_is_one_line(contrique, tmp_path, data):
    (tmp_path / "t.csv").write_bytes(data)
    for args in (
        ("fit-regressor", "--mos", tmp_path / "t.csv", "-o", tmp_path / "m.safetensors", *TINY),
        ("select", "--from", tmp_path / "t.csv", "--list"),
    ):
        done = contrique(*args)
        assert (done.status, done.err.count("\n")) == (1, 1), done.err
        assert done.err.startswith("error: ")
        assert "t.csv" in done.err


@pytest.mark.usefixtures("tiny_regressor")
@pytest.mark.parametrize("mos", ["1e308", "-1e200", "1e9", "1e-300", "0"])
def test_opinions_of_any_size_end_in_figures_or_one_line(contrique, rated, tmp_path, mos):
    table = opinions()
    table["mos"] = [mos if number % 2 else "1" for number in range(24)]
    table.to_csv(tmp_path / "t.csv", index=False)
    args = ("--mos", tmp_path / "t.csv", "--photos", rated, "-o", tmp_path / "m.safetensors")
    done = contrique("fit-regressor", *args, *TINY)
    assert done.status == 0 or (done.err.count("\n"), done.err[:7]) == (1, "error: ")


def test_lists_of_photos_for_training_are_read_by_the_same_reader(tmp_path):
    from contrique_cli.pretraining import trainphotos

    one_hot = [str([int(index == label) for index in range(126)]) for label in (3, 7)]
    table = pd.DataFrame({"File_names": ["a.png", "b.png"], "labels": one_hot})
    table.to_csv(tmp_path / "l.csv", sep=";", index=False)
    table.to_parquet(tmp_path / "l.parquet")
    for name in ("l.csv", "l.parquet"):
        found = trainphotos.read_list(tmp_path / name, has_classes=True)
        assert found == [(tmp_path / "a.png", 3), (tmp_path / "b.png", 7)]
