"""Parquet files: columns found or named, row groups streamed, broken rows and files told apart."""

from __future__ import annotations

import io

import pytest

from contrique_cli.errors import DamagedShard, Refused, ShardError, Unreadable
from contrique_cli.photos.opening import Encoded
from contrique_cli.shards import parquets
from contrique_cli.shards.parquets import Columns
from tests.shards.samples import write_parquet

pa = pytest.importorskip("pyarrow")
FILES = {f"{number:03}.jpg": bytes([number]) * 9 for number in range(40)}


def table_of(columns, tmp_path):
    from pyarrow import parquet

    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    return (tmp_path / "t.parquet").read_bytes()


def read(data: bytes, **columns):
    with parquets.opened(io.BytesIO(data), Columns(**columns)) as table:
        return list(table.pictures())


@pytest.mark.parametrize("kind", ["jpg", "image"])
def test_rows_come_in_order_with_bytes_number_and_key(tmp_path, kind):
    found = read(write_parquet(tmp_path / "a.parquet", FILES, kind, 7).read_bytes())
    assert [bytes(one.photo.data) for one in found] == list(FILES.values())
    assert [one.member for one in found] == [str(number) for number in range(40)]
    keys = [name[:3] if kind == "jpg" else str(int(name[:3])) for name in FILES]
    assert [one.key for one in found] == keys


def test_further_columns_come_along_on_demand(tmp_path):
    data = write_parquet(tmp_path / "a.parquet", FILES).read_bytes()
    assert read(data)[1].kept == {}
    assert read(data, keep=("caption",))[1].kept == {"caption": "photo 001.jpg"}
    everything = {"key": "001", "width": 1, "caption": "photo 001.jpg"}
    assert read(data, keep=("*",))[1].kept == everything
    with pytest.raises(Refused, match="no column 'no' but key, width, caption, jpg"):
        read(data, keep=("no",))


@pytest.mark.parametrize("wanted", ["photo", "photo.bytes", "other.data"])
def test_a_column_can_be_named(tmp_path, wanted):
    photo = pa.array([{"bytes": b"p"}]), pa.array([{"data": b"p"}])
    data = table_of({"photo": photo[0], "other": photo[1], "n": [1]}, tmp_path)
    assert bytes(read(data, image=wanted)[0].photo.data) == b"p"


def test_a_file_without_such_a_column_says_what_there_is(tmp_path):
    data = table_of({"thumb": [b"x"], "n": [1]}, tmp_path)
    with pytest.raises(Refused, match=r"no column jpg or image .*--image-column \(thumb\)"):
        read(data)
    with pytest.raises(Refused, match="--image-column n: there is no such column of bytes"):
        read(data, image="n")


def test_a_row_without_bytes_is_a_row_with_a_reason(tmp_path):
    kinds = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = [{"bytes": None, "path": "a.jpg"}, None, {"bytes": b"x", "path": None}]
    none, nothing, whole = read(table_of({"image": pa.array(rows, kinds)}, tmp_path))
    assert none.photo.reason == nothing.photo.reason == "there are no bytes in the row"
    assert isinstance(none.photo, Unreadable)
    assert isinstance(whole.photo, Encoded)


def test_a_row_over_the_limit_is_refused(tmp_path, monkeypatch):
    from contrique_cli.shards import picture

    monkeypatch.setattr(picture, "MAX_BYTES", 5)
    assert "over the limit" in read(table_of({"jpg": [b"123456"]}, tmp_path))[0].photo.reason


@pytest.mark.parametrize("damage", ["text", "cut", "pages"])
def test_damage_is_told_from_a_store_that_fails(tmp_path, damage):
    whole = write_parquet(tmp_path / "a.parquet", FILES).read_bytes()
    data = {"text": b"no table", "cut": whole[:-20], "pages": b"PAR1" + bytes(500) + whole[504:]}
    with pytest.raises(DamagedShard, match="damaged"):
        read(data[damage])

    class Broken(io.BytesIO):
        def read(self, size=-1):
            raise ShardError("gone")

    with (
        pytest.raises(ShardError, match="gone"),
        parquets.opened(Broken(whole), Columns()) as table,
    ):
        list(table.pictures())


def test_a_row_group_is_read_a_few_rows_at_a_time(tmp_path):
    from pyarrow import parquet

    rows = [bytes([number]) * 200_000 for number in range(200)]
    parquet.write_table(
        pa.table({"jpg": rows}),
        tmp_path / "a.parquet",
        compression="none",
        use_dictionary=False,
        write_batch_size=8,  # else the writer makes one page of all rows
    )
    del rows
    before = pa.total_allocated_bytes()
    peak = 0
    with (
        (tmp_path / "a.parquet").open("rb") as file,
        parquets.opened(file, Columns()) as table,
    ):
        for _ in table.pictures():
            peak = max(peak, pa.total_allocated_bytes() - before)
    assert peak < 20e6  # of 40 MB in one row group
