"""The folder of a run: its configuration, its metrics and where its files are."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from contrique_cli.errors import BadOption, BadRun, CannotWrite, Unreadable
from contrique_cli.files.reading import irregular, opened, why
from contrique_cli.files.writing import locked, replacing
from contrique_cli.pretraining.trainconfig import CONVENIENCE, checked

FORMAT = 1
"""Version of `config.json`."""

MOST_BYTES = 16 * 2**20
"""Size of a JSON file beyond which it is none of ours."""

MOST_STEPS = 10**12
"""No run does so many."""

MOST_LOSS = 1e30
"""No finite loss that a run goes on with is near."""

_NAMED = 5  # settings, in a complaint


class RunFiles:
    """Paths and small files of one run.

    Attributes:
        folder: RUN, as the user named it.
        config, metrics, checkpoints, encoder, curve: what lies in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.json"
        self.metrics = folder / "metrics.jsonl"
        self.checkpoints = folder / "checkpoints"
        self.encoder = folder / "encoder.safetensors"
        self.curve = folder / "loss.png"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from training in the same folder; a killed one leaves no lock.

        Raises:
            BadRun: see `check_folder`.
            CannotWrite: another process trains there, or the folder cannot be made or written to.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CannotWrite(
                f"the folder {self.folder} cannot be made or written to ({why(error)}); choose "
                "another --output"
            ) from error
        check_folder(self.folder)
        busy = "another process is training there; wait for it or choose another --output"
        with locked(self.folder, busy, lock=self.folder / ".lock"):
            yield

    def write_config(self, config: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Write the whole configuration, before the first step.

        Raises:
            CannotWrite: see `writing.replacing`.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        content = {"format": FORMAT, "config": config, **facts}
        with replacing(self.config) as file:
            file.write(json.dumps(content, indent=1).encode() + b"\n")

    def check_config(self, config: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Refuse to go on with a run under another configuration; one without a step is no run.

        Raises:
            BadRun: it differs in what changes the weights.
        """
        stored = read_config(self.folder)
        if stored is None or not self.has_checkpoint():
            return
        before = {**stored["config"], **{name: stored.get(name) for name in facts}}
        now = {**config, **facts}
        changes = [
            f"{name} was {before.get(name)!r}, is now {now[name]!r}"
            for name in sorted(now)
            if name not in CONVENIENCE and before.get(name) != now[name]
        ]
        if changes:
            if len(changes) > _NAMED:
                changes = [*changes[:_NAMED], f"and {len(changes) - _NAMED} more"]
            raise BadRun(
                f"{self.folder} holds a run with other settings: {'; '.join(changes)}; give the "
                "same to go on with it, or another --output to begin anew"
            )

    def has_checkpoint(self) -> bool:
        """Whether steps were done and kept, if only in a damaged checkpoint."""
        return any(self.checkpoints.glob("step-*"))

    def add_metrics(self, row: Mapping[str, Any]) -> None:
        """Append one line.

        Raises:
            CannotWrite: the disk is full, or the folder gone.
        """
        try:
            with self.metrics.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as error:
            raise CannotWrite(
                f"{self.metrics} cannot be written ({why(error)}); the last "
                "checkpoint is whole: free space, then run the same command again to go on"
            ) from error

    def read_metrics(self) -> list[dict[str, Any]]:
        """All whole lines.

        Raises:
            BadRun: a line is none that a run writes, but for the last, which a kill may have cut.
        """
        try:
            lines = self.metrics.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise BadRun(f"{self.metrics} cannot be read ({why(error)})") from error
        rows = []
        for number, line in enumerate(lines[:-1], start=1):
            try:
                rows.append(_row(line))
            except (ValueError, KeyError, TypeError) as error:
                raise BadRun(
                    f"{self.metrics}, line {number}, is none that a run writes; remove it, or "
                    "choose another --output"
                ) from error
        return rows

    def forget_metrics_after(self, step: int) -> None:
        """Drop the lines of steps that will be done again."""
        rows = [row for row in self.read_metrics() if row["step"] <= step]
        if self.metrics.exists():
            with replacing(self.metrics) as file:
                file.writelines(json.dumps(row).encode() + b"\n" for row in rows)


def check_folder(folder: Path) -> None:
    """See that plain files stand in a run's folder where it writes: a link leads to others' files.

    Raises:
        BadRun: something else does.
    """
    if folder.is_file():
        raise BadRun(f"{folder} is a file; --output takes a folder")
    names = ("config.json", "metrics.jsonl", "encoder.safetensors", "loss.png", ".lock")
    for path in (*(folder / name for name in names), folder / "checkpoints"):
        try:
            mode = path.lstat().st_mode
        except OSError:  # nothing there, or nobody may look: writing will tell
            continue
        if stat.S_ISLNK(mode):
            raise BadRun(f"{path} is a link; remove it, or choose another --output")
        is_folder = path.name == "checkpoints"
        if not (stat.S_ISDIR(mode) if is_folder else stat.S_ISREG(mode)):
            what = "not a folder" if is_folder else irregular(mode)
            raise BadRun(f"{path} is {what}; remove it, or choose another --output")


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object of one of our own small files.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no plain file, or holds something else.
    """
    try:
        with opened(path) as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ValueError("it is too large")
        return _parse(data)
    except Unreadable as unreadable:
        raise ValueError(unreadable.reason) from unreadable


def _parse(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("it holds no JSON object")  # noqa: TRY004 - of the file, not of ours
    return value


def _row(line: bytes) -> dict[str, Any]:
    """One line of the metrics.

    Raises:
        ValueError, KeyError, TypeError: a run wrote no such line.
    """
    row = _parse(line)
    if type(row["step"]) is not int or not 0 <= row["step"] <= MOST_STEPS:
        raise ValueError("step")
    if "loss" in row and not abs(row["loss"]) <= MOST_LOSS:
        raise ValueError("loss")
    return row


def read_config(folder: Path) -> dict[str, Any] | None:
    """The configuration a run was started with: `config` and facts; None for a new run.

    Raises:
        BadRun: the file is there but damaged, or see `check_folder`.
    """
    check_folder(folder)
    path = folder / "config.json"
    try:
        content = read_object(path)
        content["config"] = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in checked(content["config"], str(path)).items()
        }
    except FileNotFoundError:
        return None
    except KeyError as error:
        raise BadRun(f"{path} is damaged (it lacks {error}); choose another --output") from error
    except (OSError, ValueError, TypeError, AttributeError, BadOption) as error:
        raise BadRun(f"{path} is damaged ({why(error)}); choose another --output") from error
    return content
