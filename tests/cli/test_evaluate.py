"""The command evaluate."""

from __future__ import annotations

from pathlib import Path

import pytest

from contrique_cli import config
from tests.opinion_tables import TINY, make_rated, opinions


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_rated(tmp_path_factory.mktemp("rated"))


def written(folder: Path, kind: str) -> Path:
    path, table = folder / f"scores.{kind.split(maxsplit=1)[0]}", opinions()
    if kind == "csv with sep":
        text = table.to_csv(index=False, sep=";", decimal=",")
        path.write_text("\ufeffsep=;\r\n" + text, encoding="utf-8")
    elif kind == "txt":
        lines = [f"{mos} {name}" for name, mos in table.itertuples(index=False)]
        path.write_text("\n".join(lines) + "\n")
    elif kind == "csv from powershell":
        path.write_text(table.to_csv(index=False, quoting=1), encoding="utf-16")
    elif kind == "json":
        table.to_json(path, orient="records")
    elif kind == "jsonl":
        table.to_json(path, orient="records", lines=True)
    elif kind == "parquet":
        table.to_parquet(path)
    else:
        table.to_excel(path, index=False)
    return path


@pytest.mark.usefixtures("tiny_regressor")
@pytest.mark.parametrize(
    "kind", ["csv with sep", "txt", "csv from powershell", "json", "jsonl", "parquet", "xlsx"]
)
def test_opinions_of_every_kind_are_fitted_and_evaluated(
    contrique, rated, tmp_path, kind, monkeypatch
):
    monkeypatch.setattr(config, "RESAMPLES", 20)
    table = written(tmp_path, kind)
    out = tmp_path / "mine.safetensors"
    done = contrique("fit-regressor", "--mos", table, "--photos", rated, "-o", out, *TINY)
    assert (done.status, "SROCC" in done.out) == (0, True), done.err
    assert ("names no columns" in done.err) == (kind == "txt")
    judged = contrique("evaluate", "--mos", table, "--photos", rated, "--regressor", out, *TINY[:4])
    assert (judged.status, "24" in judged.out) == (0, True), judged.err
