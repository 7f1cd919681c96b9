"""An encoder and a regressor that belong together, found and loaded."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from contrique_cli.encoder import checkpoint, tensorfile
from contrique_cli.encoder.architectures import numbers
from contrique_cli.encoder.work import Work
from contrique_cli.errors import BadModelFile, RegressorMismatch
from contrique_cli.models import flaws, installed, locating
from contrique_cli.models import regressor as model_regressor
from contrique_cli.models.flaws import FlawProbe
from contrique_cli.models.regressor import NO_REFERENCE, Regressor
from contrique_cli.reports.rows import Row
from contrique_cli.version import __version__

if TYPE_CHECKING:
    import torch

    from contrique_cli.encoder.backend import Embed
    from contrique_cli.encoder.model import Contrique

FAST = "fast"


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """An encoder and a regressor that belong together, and where they came from.

    Attributes:
        load: reads the encoder.
        info: what the header of its file says.
        regressor, regressor_path: the regressor and its file.
        probe: names the dominant flaw; None where none is installed for the encoder.
    """

    load: Callable[[], Contrique]
    info: checkpoint.EncoderInfo
    regressor: Regressor
    regressor_path: Path
    probe: FlawProbe | None = None
    _prepared: dict[tuple[torch.device, str], Embed] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def flaws(self) -> list[str]:
        """Names of the flaws whose probability is told; none without a probe."""
        names = [] if self.probe is None else self.probe.names
        return [name for name in names if name != flaws.NONE]

    @cached_property
    def model(self) -> Contrique:
        """The encoder, read when first needed: scoring from the cache alone never needs it.

        Raises:
            BadModelFile: see `checkpoint.load`.
        """
        return self.load()

    def sized(self, work: Work) -> Work:
        """The same work at the size that the regressor was fitted at."""
        return replace(work, max_side=self.regressor.max_side)

    def prepare(self, device: torch.device, precision: str) -> Embed:
        """The encoder made fast for a device, once for each device and precision.

        Raises:
            BadModelFile: see `checkpoint.load`.
            BadOption: see `backend.choose_precision`.
        """
        from contrique_cli.encoder.backend import Embed  # noqa: PLC0415 - loads PyTorch

        wanted = device, precision
        if wanted not in self._prepared:
            self._prepared[wanted] = Embed(self.model.to(device), precision)
        return self._prepared[wanted]

    def judge(
        self,
        path: Path,
        values: np.ndarray,
        *,
        size: tuple[int, int],
        source: str,
        note: str | None = None,
        rating: float | None = None,
    ) -> Row:
        """The unranked row of a photo, from its features.

        Args:
            path: as found.
            values: features, shape (2F,).
            size: width and height of the file, in upright pixels.
            source, note, rating: see `decoding.Photo`.
        """
        raw = self.regressor.predict(values[None])  # (1, 2F) -> (1,)
        scores = self.regressor.to_score(raw)  # (1,)
        flaw = None
        chances: tuple[tuple[str, float], ...] = ()
        if self.probe is not None:
            found = self.probe.probabilities(values[None])  # (1, K)
            flaw = self.probe.choose(found, scores)[0]
            chances = tuple(
                (name, chance)
                for name, chance in zip(self.probe.names, found[0].tolist(), strict=True)
                if name != flaws.NONE
            )
        return Row(
            path=path,
            score=float(scores[0]),
            raw=float(raw[0]),
            quality=float(self.regressor.to_quality(raw)[0]),
            flaw=None if flaw is None else flaw.name,
            flaw_probability=None if flaw is None else flaw.probability,
            flaws=chances,
            width=size[0],
            height=size[1],
            source=source,
            note=note,
            rating=rating,
        )


def load_pipeline(
    model: str | None = None,
    regressor_name: str | None = None,
    *,
    task: str = NO_REFERENCE,
) -> Pipeline:
    """An encoder and a regressor that belong together.

    With only one of the two named, the other is found by the encoder's fingerprint.

    Raises:
        UnknownModel: a name that is not installed.
        RegressorMismatch: no partner is installed, or several of which none is the default, or
            the two named do not belong together.
    """
    if regressor_name is None:
        encoder_path = locating.locate(checkpoint.KIND, model or locating.DEFAULT)
        path = _regressor_for(encoder_path, task, model or locating.DEFAULT)
        found = model_regressor.load(path)
    else:
        path = locating.locate(model_regressor.KIND, regressor_name)
        found = model_regressor.load(path)
        encoder_path = (
            locating.locate(checkpoint.KIND, model) if model else _encoder_for(found, path)
        )
    info = checkpoint.read_info(encoder_path)
    found.check(encoder=info.fingerprint, max_side=found.max_side, task=task)
    if found.weights.shape != (numbers(info.arch, info.pooling),):
        raise BadModelFile(f"{path} does not fit its encoder: {found.weights.shape} weights")
    load = partial(_load_same, encoder_path, info)
    probe = _probe_for(info.fingerprint) if task == NO_REFERENCE else None
    return Pipeline(load=load, info=info, regressor=found, regressor_path=path, probe=probe)


def _load_same(path: Path, expected: checkpoint.EncoderInfo) -> Contrique:
    """The encoder whose header was read before.

    Raises:
        BadModelFile: see `checkpoint.load`; or another file lies there now.
    """
    model, info = checkpoint.load(path)
    if info != expected:
        raise BadModelFile(f"{path} has been replaced meanwhile; run again")
    return model


def describe(pipeline: Pipeline) -> dict[str, str | int]:
    """Which model made the scores: plain facts for the head of a report."""
    return {
        "contrique": __version__,
        "encoder": pipeline.info.fingerprint,
        "arch": pipeline.info.arch,
        "regressor": pipeline.regressor_path.stem,
        "max_side": pipeline.regressor.max_side,
    }


def _regressor_for(encoder_path: Path, task: str, name: str) -> Path:
    """The default one where there is; `FAST`, of a smaller working size, only by its name."""
    wanted = {"encoder": checkpoint.read_info(encoder_path).fingerprint, "task": task}
    partners = [path for path in _matching(model_regressor.KIND, wanted) if path.stem != FAST]
    for path in partners:
        if path.stem == locating.DEFAULT or len(partners) == 1:
            return path
    if partners:
        names = ", ".join(sorted(path.stem for path in partners))
        raise RegressorMismatch(
            f"several {task} regressors are installed for the encoder {name}: {names}; say which "
            "by --regressor"
        )
    command = "contrique fit-regressor --mos scores.csv"
    if task != NO_REFERENCE:
        command += " --reference-column COLUMN"
    if name != locating.DEFAULT:
        command += f" --model {shlex.quote(name)}"
    raise RegressorMismatch(
        f"no {task} regressor is installed for the encoder {name}: fit one with {command} "
        "--output NAME"
    )


def _probe_for(encoder: str) -> FlawProbe | None:
    """The installed flaw probe of an encoder, where there is one; an imported one comes first."""
    found = _matching(installed.FLAW, {"encoder": encoder})
    return flaws.load(found[-1]) if found else None


def _encoder_for(found: Regressor, path: Path) -> Path:
    partners = _matching(checkpoint.KIND, {"fingerprint": found.encoder})
    if partners:
        return partners[0]
    raise RegressorMismatch(
        f"the regressor {path} was fitted on encoder {found.encoder[:12]}, which is not "
        "installed: give its file as --model"
    )


def _matching(kind: str, wanted: Mapping[str, str]) -> list[Path]:
    """Installed files whose headers say what is wanted; damaged ones do not count."""
    paths = []
    for one in locating.installed(kind):
        try:
            header = tensorfile.read_header(one.path).values
        except BadModelFile:
            continue
        if wanted.items() <= header.items():
            paths.append(one.path)
    return paths
