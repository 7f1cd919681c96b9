"""Model files of strangers: each is used, or refused in words, and none is executed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from safetensors.torch import save

from contrique_cli.encoder import checkpoint, tensorfile
from contrique_cli.encoder.model import Contrique
from contrique_cli.errors import ContriqueError
from contrique_cli.models import catalogue, flaws, importing, regressor
from contrique_cli.models.flaws import FlawProbe
from contrique_cli.models.official import recognising
from tests.hostile import mutations
from tests.hostile.counting import LONG, Count

DTYPES = (torch.float16, torch.bfloat16, torch.int8, torch.int64, torch.bool, torch.float64)
Parts = tuple[dict[str, str], dict[str, torch.Tensor]]


@pytest.fixture
def files(tiny: Contrique, tiny_regressor: object, home: Path) -> list[Path]:
    """One sound file of each kind."""
    probe = FlawProbe(
        names=["none", "dark"],
        weights=np.zeros((2 * tiny.length, 2), np.float32),
        bias=np.zeros(2, np.float32),
        confidence=0.5,
        encoder=checkpoint.read_info(home / "encoders" / "tiny.safetensors").fingerprint,
        provenance={"data": "none"},
    )
    (home / "flaws").mkdir()
    flaws.save(home / "flaws" / "tiny.safetensors", probe)
    return [home / kind / "tiny.safetensors" for kind in ("encoders", "regressors", "flaws")]


def parts_of(path: Path) -> Parts:
    content = tensorfile.read(path)
    values = {"format": 1, "kind": f"contrique {content.header.kind}", **content.header.values}
    return {name: json.dumps(value) for name, value in values.items()}, dict(content.tensors)


def variants(path: Path, rng: Random) -> Iterator[bytes]:
    """Endless hostile variants of a file of ours."""
    data = path.read_bytes()
    while True:
        yield mutations.bytes_of(data[: 8 + int.from_bytes(data[:8], "little")], rng) + data[-64:]
        yield mutations.bytes_of(data, rng)
        metadata, tensors = parts_of(path)
        change_header(metadata, rng)
        yield save(tensors, metadata)
        metadata, tensors = parts_of(path)
        change_tensor(tensors, rng)
        yield save(tensors, metadata)


def change_header(metadata: dict[str, str], rng: Random) -> None:
    name = rng.choice(list(metadata))
    act = rng.randrange(5)
    if act == 0:
        del metadata[name]
    elif act == 1:
        metadata[name] = rng.choice((mutations.DEEP, "", "{", "9" * 5000, "1e999", "NaN"))
    else:
        wanted = mutations.value_of({name: json.loads(metadata[name])}, rng)
        for key, value in (wanted if isinstance(wanted, dict) else {name: wanted}).items():
            metadata[key] = json.dumps(value)


def change_tensor(tensors: dict[str, torch.Tensor], rng: Random) -> None:
    name = rng.choice(list(tensors))
    value = tensors[name]
    changes: tuple[Callable[[], torch.Tensor], ...] = (
        lambda: value[None],
        lambda: value.reshape(-1)[:0],
        lambda: value.reshape(-1)[0],
        lambda: value.reshape(-1)[: max(1, value.numel() // 2)],
        lambda: value.to(rng.choice(DTYPES)),
        lambda: torch.full_like(value, float("nan")) if value.is_floating_point() else value,
        lambda: torch.full_like(value, float("inf")) if value.is_floating_point() else value,
        lambda: value * 1e30 if value.is_floating_point() else value,
        lambda: -value,
    )
    if rng.random() < 0.1:
        del tensors[name]
    else:
        tensors[name] = rng.choice(changes)().contiguous()


def read_all(path: Path) -> None:
    """Whatever the program does with a model file."""
    for act in (checkpoint.load, regressor.load, flaws.load, recognising.recognise):
        try:
            act(path)
        except ContriqueError as error:
            assert len(str(error)) < 2000, error
    for row in catalogue.list_installed():
        assert row.problem is None or "Error" not in row.problem.split()[0], row.problem


def try_them(files: list[Path], count: Count, most: int) -> None:
    rng = Random(0)
    streams = [(path, variants(path, rng)) for path in files]
    for path, stream in count.within(streams * (most // len(streams))):
        sound = path.read_bytes()
        path.write_bytes(next(stream))
        with count.one():
            read_all(path)
        path.write_bytes(sound)


@pytest.mark.usefixtures("tiny_regressor")
def test_hostile_model_files_are_refused_in_words(files):
    with Count("model files") as count:
        try_them(files, count, 24)


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_regressor")
def test_many_hostile_model_files_are_refused_in_words(files):
    with Count("model files", seconds=LONG) as count:
        try_them(files, count, 6000)


def test_a_hostile_model_is_a_line_on_the_command_line(files, photos, contrique):
    rng = Random(1)
    streams = [(path, variants(path, rng)) for path in files]
    for path, stream in streams * 3:
        sound = path.read_bytes()
        path.write_bytes(next(stream))
        for command in (
            ("score", photos / "a.jpg", "--regressor", "tiny", "--device", "cpu", "--no-cache"),
            ("models",),
            ("models", "import", path, "--name", "mine"),
        ):
            done = contrique(*command)
            assert done.status in (0, 1, 2, 3)
            assert "\x1b" not in done.out + done.err
        path.write_bytes(sound)


def test_our_own_files_of_every_header_length_are_known(tiny_regressor, home, tmp_path):
    """One in 32 has a length that begins with the byte 0x80, as pickles do."""
    lengths = set()
    for size in range(256):
        path = tmp_path / "mine.safetensors"
        regressor.save(
            path, regressor.Regressor(**{**vars(tiny_regressor), "provenance": {"x": "x" * size}})
        )
        lengths.add(path.read_bytes()[0])
        assert recognising.recognise(path) == recognising.OURS
        if path.read_bytes()[0] == 0x80:
            importing.import_file(path, name=f"mine{size}")
    assert 0x80 in lengths
