"""Object stores: fsspec's memory, and a real server that speaks S3 on the loopback."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contrique_cli.errors import MissingExtra, ShardError
from contrique_cli.shards import listing, places
from tests.shards.samples import (
    by_name,
    jpeg,
    photos,
    rows_of,
    tar_bytes,
    write_parquet,
    write_tar,
)

MODEL = ("--regressor", "tiny", "--device", "cpu")
SECRET = "wJalrXUtnFEMI-K7MDENG-bPxRfiCY"  # noqa: S105 - of a server that ends with its test

ANYBODY = {"token": "anon"}


@pytest.fixture
def memory():
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield store
    store.store.clear()


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("s3://key:secret@bucket/a.tar", "s3://bucket/a.tar"),
        ("https://host/a.tar?X-Amz-Signature=abc&x=1", "https://host/a.tar"),
        ("GET https://me:pw@host/a?sig=1 failed: 403", "GET https://host/a failed: 403"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_urls_are_shown_without_their_secrets(text, rest):
    assert places.scrub(text) == rest


def test_secrets_of_the_environment_are_not_shown(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert places.scrub(f"bad signature {SECRET}!") == "bad signature ***!"


def test_without_the_extra_a_url_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingExtra, match=r"pip install 'contrique\[cloud\]'"):
        places.read("s3://bucket/a")


def test_an_upload_appears_whole_or_not_at_all(memory):
    with pytest.raises(RuntimeError), places.written("memory://out/a.bin") as file:
        file.write(b"half")
        raise RuntimeError
    assert places.read("memory://out/a.bin") is None
    with places.written("memory://out/a.bin") as file:
        file.write(b"whole")
    assert places.read("memory://out/a.bin") == b"whole"


def test_folders_of_a_store_are_walked_as_those_of_a_disk(memory, tmp_path):
    for name in ("b/1.tar", "a.tar", "b/c/2.tar", "note.txt", "photos/x.jpg", ".hidden/3.tar"):
        memory.pipe_file(f"/in/{name}", b"x")
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert list(places.files("memory://in")) == list(places.files(str(tmp_path)))
    assert sorted(places.walk("memory://in")) == sorted(places.walk(str(tmp_path)))
    found = [one.name for one in listing.find(["memory://in/"], Counter())]
    assert found == ["a", "b/1", "b/c/2", "photos"]


def test_photos_and_shards_in_memory_give_the_rows_of_those_on_a_disk(
    memory, contrique, tiny_regressor, tmp_path, monkeypatch
):
    pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    files = photos(20)
    write_tar(tmp_path / "in/0.tar", files)
    write_parquet(tmp_path / "in/1.parquet", files)
    for path in sorted(Path("in").iterdir()):
        memory.pipe_file(f"/in/{path.name}", path.read_bytes())
    for name, data in files.items():
        memory.pipe_file(f"/in/2/{name}", data)
    (tmp_path / "in/2").mkdir()
    for name, data in files.items():
        (tmp_path / "in/2" / name).write_bytes(data)
    assert contrique("score", "in", "--output", "here/", *MODEL).status == 3
    done = contrique("score", "memory://in/", "--output", "memory://out", *MODEL)
    assert done.status == 3, done.err
    assert "results of 3 shards in memory://out" in done.err
    Path("there").mkdir()
    for name in ("0", "1", "2"):
        Path(f"there/{name}.parquet").write_bytes(memory.cat_file(f"/out/{name}.parquet"))
    without = [
        [{k: v for k, v in row.items() if k != "shard"} for row in rows_of(Path(name))]
        for name in ("here", "there")
    ]
    assert without[0] == without[1]
    again = contrique("score", "memory://in/", "--output", "memory://out", *MODEL)
    assert "3 of 3 shards done before" in again.err


def test_a_store_that_cannot_be_reached_is_told_without_its_secrets(
    contrique, tiny_regressor, tmp_path, monkeypatch
):
    pytest.importorskip("fsspec")
    pytest.importorskip("aiohttp")
    monkeypatch.chdir(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://me:{SECRET}@127.0.0.1:{port}/a.tar?X-Amz-Signature={SECRET}"
    write_tar(tmp_path / "b.tar", {"b.jpg": jpeg(1)})
    done = contrique("score", url, "b.tar", "--output", "scores/", "--format", "csv", *MODEL)
    assert done.status == 3
    assert f"no result: http://127.0.0.1:{port}/a.tar cannot be reached" in done.err
    assert SECRET not in done.err + done.out
    for path in Path("scores").iterdir():
        assert SECRET not in path.read_text()


@contextmanager
def served(folder: Path, *command: str) -> Iterator[str]:
    """A server of its own process on the loopback; its address. {port} in the command is its port.

    Proxies of the environment are the caller's to leave out.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [word.format(port=port) for word in command]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=folder, stdout=log, stderr=log
        )
        try:
            deadline = time.monotonic() + 120
            while time.monotonic() < deadline:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait()


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_proxies: None) -> Iterator[str]:
    """A server that speaks S3; its address, which fsspec finds by itself."""
    pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with served(tmp_path, "moto.server", "-H", "127.0.0.1", "-p", "{port}") as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        yield address


@pytest.fixture
def gs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_proxies: None) -> Iterator[str]:
    """A server that speaks Google's protocol, and the address, which gcsfs finds by itself."""
    pytest.importorskip("gcp_storage_emulator")
    # Read at import: what it has of late speaks gRPC, which the server does not, and waits for ever.
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    pytest.importorskip("gcsfs")
    from fsspec import config

    monkeypatch.setitem(config.conf, "gs", ANYBODY)
    command = ("gcp_storage_emulator", "start", "--host=127.0.0.1", "--port={port}", "--in-memory")
    with served(tmp_path, *command) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        yield address


def test_shards_of_googles_store_have_results_there(
    gs, contrique, tiny_regressor, tmp_path, monkeypatch
):
    import gcsfs

    pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    store = gcsfs.GCSFileSystem(skip_instance_cache=True, **ANYBODY)
    store.mkdir("photos")
    files = photos(12)
    path = write_tar(tmp_path / "0.tar", files)
    store.pipe_file("photos/web/0.tar", path.read_bytes())
    for name, data in files.items():
        store.pipe_file(f"photos/flat/{name}", data or b"-")
    done = contrique("score", "gs://photos/", "--output", "gs://photos/scores", *MODEL)
    assert done.status == 3, done.err
    assert "results of 2 shards in gs://photos/scores" in done.err
    store.invalidate_cache()
    for name in ("web/0", "flat"):
        target = tmp_path / "run" / f"{name}.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(store.cat_file(f"photos/scores/{name}.parquet"))
    rows = rows_of(tmp_path / "run")
    tar = {row["member"]: row["score"] for row in rows if row["shard"].endswith(".tar")}
    assert len(tar) == 12
    flat = {row["member"]: row["score"] for row in rows if not row["shard"].endswith(".tar")}
    assert flat == tar
    again = contrique("score", "gs://photos/", "--output", "gs://photos/scores", *MODEL)
    assert "2 of 2 shards done before" in again.err


def test_without_its_package_a_store_says_what_to_install(
    contrique, tiny_regressor, tmp_path, monkeypatch
):
    registry = pytest.importorskip("fsspec.registry")
    monkeypatch.delitem(registry._registry, "gs", raising=False)  # what was found before
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    done = contrique("score", "gs://photos/", "--output", f"{tmp_path}/scores/", *MODEL)
    assert done.status == 1
    assert "gs://photos/ needs a package of its own" in done.err
    assert "pip install 'contrique[cloud]'" in done.err
    assert len(done.err.splitlines()) == 1


def test_a_list_of_web_addresses_has_a_result_for_each(
    contrique, tiny_regressor, tmp_path, monkeypatch, no_proxies
):
    pytest.importorskip("aiohttp")
    pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    write_tar(tmp_path / "web/0.tar", {"a.jpg": jpeg(1)})
    write_tar(tmp_path / "web/1.tar.gz", {"b.jpg": jpeg(2)}, "w:gz")
    write_parquet(tmp_path / "web/2.parquet", {"c.jpg": jpeg(3)})
    with served(tmp_path / "web", "http.server", "{port}", "--bind", "127.0.0.1") as address:
        names = ("0.tar", "1.tar.gz?token=hush", "2.parquet", "gone.tar")
        urls = "".join(f"{address}/{name}\n" for name in names).encode()
        done = contrique("score", "-", "--output", "scores/", *MODEL, stdin=urls)
    assert done.status == 3, done.err
    assert "3 of 3 photos scored, results of 3 shards" in done.err
    assert f"no result: {address}/gone.tar cannot be reached" in done.err
    assert {row["key"]: row["shard"] for row in rows_of(Path("scores"))} == {
        "a": f"{address}/0.tar",
        "b": f"{address}/1.tar.gz",
        "c": f"{address}/2.parquet",
    }


def test_shards_of_a_bucket_have_results_in_a_bucket(
    s3, contrique, tiny_regressor, tmp_path, monkeypatch
):
    import s3fs

    pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    store = s3fs.S3FileSystem(skip_instance_cache=True)
    store.mkdir("photos")
    store.mkdir("scores")
    files = photos(30)
    names = list(files)
    for number in range(3):
        part = {name: files[name] for name in names[number::3]}
        path = write_tar(tmp_path / f"{number}.tar", part)
        store.put_file(str(path), f"photos/web/{number}.tar")
    write_parquet(tmp_path / "3.parquet", files)
    store.put_file(str(tmp_path / "3.parquet"), "photos/table/3.parquet")
    command = ["score", "s3://photos/web/", "s3://photos/table/3.parquet"]
    done = contrique(*command, "--output", "s3://scores/run", "--shard", "1/2", *MODEL)
    assert done.status in (0, 3), done.err
    done = contrique(*command, "--output", "s3://scores/run", *MODEL)
    assert "2 of 4 shards done before" in done.err
    store.invalidate_cache()
    store.get("scores/run/", str(tmp_path / "run"), recursive=True)
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        *("_contrique.json", "0.parquet", "1.parquet", "2.parquet", "3.parquet")
    }
    rows = rows_of(tmp_path / "run")
    assert {row["shard"] for row in rows} >= {"s3://photos/web/0.tar"}
    tars = by_name([row for row in rows if row["shard"].endswith(".tar")])
    table = by_name([row for row in rows if row["shard"].endswith(".parquet")])
    assert tars.keys() == table.keys()
    assert {key: row["score"] for key, row in tars.items()} == {
        key: row["score"] for key, row in table.items()
    }
    assert SECRET not in done.err + json.dumps(rows)


def test_a_bucket_that_is_not_there_is_told_in_one_line(s3, contrique, tiny_regressor, tmp_path):
    done = contrique("score", "s3://nobody/a.tar", "--output", f"{tmp_path}/scores/", *MODEL)
    assert done.status == 1
    assert "no result: s3://nobody/a.tar cannot be reached" in done.err
    refused = contrique("score", "s3://nobody/", "--output", f"{tmp_path}/scores/", *MODEL)
    assert refused.status == 1
    assert SECRET not in done.err + refused.err


def test_a_file_of_a_store_is_read_once_from_front_to_end(memory):
    from contrique_cli.shards import tars

    members = [(info, data) for info, data in _members()]
    memory.pipe_file("/a.tar", tar_bytes(members))
    with places.opened("memory://a.tar") as file:
        assert len(list(tars.pictures(file, Counter()))) == 3
    with pytest.raises(ShardError, match="cannot be reached"), places.opened("memory://b.tar"):
        pass


def _members():
    from tests.shards.samples import member

    return [member(f"{seed}.jpg", jpeg(seed)) for seed in range(3)]


def test_two_spellings_of_a_folder_are_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a").mkdir()
    Path("b").symlink_to("a")
    assert places.is_same("a", "./b/")
    assert not places.is_same("a", "a/c")
    assert places.is_same("s3://x/a", "s3://x/a/")
    assert not places.is_same("s3://x/a", "a")
