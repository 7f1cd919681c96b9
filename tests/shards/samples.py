"""Shards for the tests: generated photos, some of them broken, as folders, tar and Parquet."""

from __future__ import annotations

import functools
import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from contrique_cli.models.flaws import FlawProbe
from tests.conftest import make_photo

BROKEN = 5

MODEL = ("--regressor", "tiny", "--device", "cpu")


@functools.cache
def jpeg(seed: int, width: int = 64, height: int = 48) -> bytes:
    file = io.BytesIO()
    make_photo(seed, width, height).save(file, "JPEG", quality=90)
    return file.getvalue()


@functools.cache
def photos(count: int = 200) -> Mapping[str, bytes]:
    """So many files by name, in order; the last five are broken, each in a way of its own."""
    small = io.BytesIO()
    Image.new("RGB", (8, 8)).save(small, "PNG")
    broken = [
        b"",
        b"no photo at all",
        jpeg(0)[:300],
        b"\xff\xd8\xff" + bytes(500),
        small.getvalue(),
    ]
    whole = [jpeg(seed) for seed in range(count - BROKEN)]
    return {f"{number:06}.jpg": data for number, data in enumerate([*whole, *broken])}


def member(name: str, data: bytes = b"", **facts: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for fact, value in facts.items():
        setattr(info, fact, value)
    return info, data


def write_folder(folder: Path, files: Mapping[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def tar_bytes(members: list[tuple[tarfile.TarInfo, bytes]], mode: str = "w") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode, format=tarfile.PAX_FORMAT) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def write_tar(path: Path, files: Mapping[str, bytes], mode: str = "w") -> Path:
    """As WebDataset has it: a text beside each photo."""
    members = []
    for name, data in files.items():
        members.append(member(name, data))
        members.append(member(name.split(".")[0] + ".txt", b"a caption"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tar_bytes(members, mode))
    return path


def write_parquet(
    path: Path, files: Mapping[str, bytes], kind: str = "jpg", rows_per_group: int = 30
) -> Path:
    """As img2dataset ("jpg"), or as Hugging Face ("image"), has it."""
    import pyarrow as pa
    from pyarrow import parquet

    if kind == "jpg":
        table = pa.table(
            {
                "key": [name.split(".")[0] for name in files],
                "width": list(range(len(files))),
                "caption": [f"photo {name}" for name in files],
                "jpg": pa.array(list(files.values()), pa.binary()),
            }
        )
    else:
        pictures = [{"bytes": data, "path": name} for name, data in files.items()]
        kinds = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        table = pa.table(
            {"image": pa.array(pictures, kinds), "label": pa.array(list(range(len(files))))}
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path, row_group_size=rows_per_group)
    return path


def rows_of(folder: Path) -> list[dict[str, object]]:
    """Rows of all Parquet results in a folder."""
    from pyarrow import parquet

    return [
        row
        for path in sorted(folder.rglob("*.parquet"))
        for row in parquet.ParquetFile(path).read().to_pylist()
    ]


def by_name(rows: list[dict[str, object]]) -> dict[str, dict[str, object]]:
    """Rows by key; each key once."""
    found = {str(row["key"]): row for row in rows}
    assert len(found) == len(rows)
    return found


def write_all(folder: Path, files) -> None:
    names = list(files)
    for number in range(4):
        write_tar(folder / "tar" / f"{number}.tar", {n: files[n] for n in names[number::4]})
    write_parquet(folder / "table" / "p.parquet", files)
    write_folder(folder / "files", files)


def scoring(contrique) -> Callable[..., Any]:
    """`contrique score` with the tiny model."""
    return lambda *args, **options: contrique("score", *args, *MODEL, **options)


def few(count: int = 8, start: int = 0) -> dict[str, bytes]:
    return {f"{seed:06}.jpg": jpeg(seed) for seed in range(start, start + count)}


def make_probe(judge, *names: str) -> FlawProbe:
    """One that finds the flaws of these names in any photo, the first most of all."""
    return FlawProbe(
        names=["none", *names],
        weights=np.zeros((judge.weights.size, 1 + len(names)), np.float32),
        bias=np.array([0.0, *range(len(names), 0, -1)], np.float32),
        confidence=0.5,
        encoder=judge.encoder,
    )
