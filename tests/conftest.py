"""Shared ground of the tests: generated photos, a tiny installed model, a home in tmp_path."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from threadpoolctl import threadpool_limits

from contrique_cli.encoder import checkpoint
from contrique_cli.encoder.model import Contrique
from contrique_cli.models import regressor

ROOT = Path(__file__).parent.parent

# Tests are small, and threads that wait for each other on a busy machine are slow.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)

# Programs started in the background of a script inherit that Ctrl-C is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)


def make_photo(seed: int = 0, width: int = 160, height: int = 120) -> Image.Image:
    """A photo-like picture: a sky of colour, 1/f texture and a few hard edges."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft2(rng.standard_normal((3, height, width)))
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    spectrum /= np.maximum(np.hypot(rows, columns), 1.0 / max(width, height))
    texture = np.fft.irfft2(spectrum, s=(height, width))
    texture /= texture.std()
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    ramp = rng.uniform(-1, 1, (3, 1, 1)) * x + rng.uniform(-1, 1, (3, 1, 1)) * y
    pixels = 0.5 + 0.12 * texture[:1] + 0.02 * texture + 0.3 * ramp
    for _ in range(6):
        left, top = rng.uniform(0, 0.9, 2)
        inside = (x > left) & (x < left + 0.2) & (y > top) & (y < top + 0.15)
        pixels[:, inside] += rng.uniform(-0.3, 0.3, (3, 1))
    samples = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    return Image.fromarray(samples.transpose(1, 2, 0))


@contextmanager
def without_privileges(folder: Path) -> Iterator[None]:
    """As an ordinary user who may enter `folder`, also where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    for parent in (folder, *folder.parents):
        if parent.owner() == "root" and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def blurred(image: Image.Image, radius: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(radius))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Small matrices on one core: waiting threads made tests 100 times slower on a busy machine."""
    with threadpool_limits(1):
        yield


@pytest.fixture(autouse=True)
def one_torch_thread() -> None:
    """Sums of training come out bit by bit alike, whatever number a test before has left."""
    torch.set_num_threads(1)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of three JPEGs, a.jpg to c.jpg."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed, name in enumerate("abc"):
        make_photo(seed).save(folder / f"{name}.jpg", quality=90)
    return folder


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user data folder of the test's own; nothing touches the real one."""
    folder = tmp_path / "home"
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HOME"):
        monkeypatch.setenv(name, str(folder))
    monkeypatch.delenv("COLUMNS", raising=False)
    return folder / "contrique"


@pytest.fixture(scope="session")
def tiny() -> Contrique:
    """A tiny encoder with fixed random weights, in evaluation mode."""
    torch.manual_seed(0)
    return Contrique("tiny").eval()


@pytest.fixture
def tiny_regressor(tiny: Contrique, home: Path) -> regressor.Regressor:
    """Installs the tiny encoder and a regressor for it, both called "tiny"."""
    for folder in ("encoders", "regressors"):
        (home / folder).mkdir(parents=True)
    info = checkpoint.save(home / "encoders" / "tiny.safetensors", tiny, provenance={"test": True})
    made = regressor.Regressor(
        weights=np.random.default_rng(0).normal(size=2 * tiny.channels).astype(np.float32),
        bias=0.25,
        knots=np.array([-3.0, 3.0]),
        scores=np.array([0.0, 100.0]),
        higher_is_better=True,
        task=regressor.NO_REFERENCE,
        encoder=info.fingerprint,
        max_side=128,
    )
    regressor.save(home / "regressors" / "tiny.safetensors", made)
    return made


@dataclass(frozen=True)
class Outcome:
    """What a finished command left behind."""

    status: int
    out: str
    err: str


@pytest.fixture
def contrique(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Run the command line in this process, as `contrique ARGS`, away from any terminal."""
    from typer.testing import CliRunner

    from contrique_cli.cli.app import app

    def run(*args: object, stdin: bytes | None = None) -> Outcome:
        result = CliRunner().invoke(app, [str(arg) for arg in args], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(
            result.exit_code,
            result.stdout_bytes.decode("utf-8"),
            result.stderr_bytes.decode("utf-8"),
        )

    return run


def spawn(args: Sequence[object], **options: object) -> subprocess.Popen[bytes]:
    """Start the real program in a process of its own."""
    command = [sys.executable, "-m", "contrique_cli", *map(os.fspath, map(str, args))]
    return subprocess.Popen(command, cwd=ROOT, **options)  # type: ignore[call-overload]
