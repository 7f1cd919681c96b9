"""What Ray's own readers make of one bad shard among three: why `shards/` reads by itself.

    python training/ray_readers.py          # needs the extra ray; a minute when idle

For `read_webdataset`, `read_binary_files` and `read_parquet`, each as issue 17 names them, with all
shards good and with one of them bad: the rows that come, or the error that ends the whole job; and
the same where the job may pass over failed blocks (`max_errored_blocks`). A reader that keeps all
rows but those of the fault, and says which those are, could take the place of `shards.score.read`.
The last line on standard output is JSON.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read at import: nothing is reported to anybody

import pyarrow as pa
import ray
import ray.data
from pyarrow import parquet

SHARDS, EACH = 3, 10
NOISE = os.urandom(20_000)  # a photo, to readers that do not decode


def write_tar(path: Path, names: list[str]) -> None:
    """A tar file of those members."""
    with tarfile.open(path, "w") as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(NOISE)
            tar.addfile(info, io.BytesIO(NOISE))


def write_all(desk: Path) -> None:
    """Three good shards of each kind."""
    for number in range(SHARDS):
        names = [f"{number}{index:03}.jpg" for index in range(EACH)]
        write_tar(desk / f"{number}.tar", names)
        table = pa.table({"jpg": pa.array([NOISE] * EACH, pa.binary())})
        parquet.write_table(table, desk / f"{number}.parquet", row_group_size=2)
        (desk / f"{number}").mkdir()
        for name in names:
            (desk / f"{number}" / name).write_bytes(NOISE)


def cut(path: Path) -> None:
    """Keep the first two thirds of a file."""
    os.truncate(path, path.stat().st_size * 2 // 3)


def overwrite(path: Path) -> None:
    """Put zeros over the first page of a Parquet file; what says where its pages are stays."""
    with path.open("r+b") as file:
        file.seek(4)
        file.write(bytes(2_000))


def double(path: Path) -> None:
    """Have two members of one name in a tar file."""
    write_tar(path, ["1000.jpg", "1000.jpg", *(f"1{index:03}.jpg" for index in range(2, EACH))])


CASES: dict[str, tuple[str, str, Callable[[Path], None] | None]] = {
    "tar: all good": ("tar", "1.tar", None),
    "tar: one cut short": ("tar", "1.tar", cut),
    "tar: one with a name twice": ("tar", "1.tar", double),
    "files: all good": ("files", "1/1005.jpg", None),
    "files: one vanished after the listing": ("files", "1/1005.jpg", Path.unlink),
    "parquet: all good": ("parquet", "1.parquet", None),
    "parquet: one cut short": ("parquet", "1.parquet", cut),
    "parquet: one overwritten": ("parquet", "1.parquet", overwrite),
}


def dataset(kind: str, desk: Path) -> Any:
    """Ray's dataset of the shards, not yet read."""
    if kind == "files":
        folders = [str(desk / str(number)) for number in range(SHARDS)]
        return ray.data.read_binary_files(folders, include_paths=True)
    paths = [str(desk / f"{number}.{kind}") for number in range(SHARDS)]
    if kind == "tar":
        return ray.data.read_webdataset(paths, decoder=None, suffixes=["jpg"], include_paths=True)
    return ray.data.read_parquet(paths, columns=["jpg"], include_paths=True)


def outcome(kind: str, name: str, harm: Callable[[Path], None] | None, passed: int) -> str:
    """Rows that come and their columns, or the error."""
    ray.data.DataContext.get_current().max_errored_blocks = passed
    with tempfile.TemporaryDirectory() as folder:
        desk = Path(folder)
        write_all(desk)
        try:
            if harm is not None and kind != "files":
                harm(desk / name)
            found = dataset(kind, desk)
            if harm is not None and kind == "files":
                harm(desk / name)
            rows = found.take_all()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is asked for
            return f"no rows: {type(error).__name__}"
    return f"{len(rows)} of {SHARDS * EACH} rows with {sorted(rows[0])}"


def main() -> None:
    """Try every case, strictly and with failed blocks passed over."""
    ray.init("local", num_cpus=4, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    found = {}
    for case, (kind, name, harm) in CASES.items():
        found[case] = outcome(kind, name, harm, 0)
        print(f"{case}: {found[case]}", flush=True)
        if harm is not None:
            found[f"{case}, passed over"] = outcome(kind, name, harm, -1)
            print(f"{case}, passed over: {found[f'{case}, passed over']}", flush=True)
    print(json.dumps({"ray": ray.__version__, "found": found}))


if __name__ == "__main__":
    main()
