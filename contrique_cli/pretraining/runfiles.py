"""The folder of a run: its configuration, its metrics and where its files are."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from contrique_cli.errors import BadOption, BadRun, CannotWrite
from contrique_cli.files.writing import replacing
from contrique_cli.pretraining.trainconfig import CONVENIENCE, checked

FORMAT = 1
"""Version of `config.json`."""

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
"""What a file system without locks answers."""


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
    def claimed(self) -> Iterator[None]:
        """Keep other processes from training in the same folder; a killed one leaves no claim.

        Raises:
            BadRun: another one does.
            CannotWrite: the folder cannot be made or written to.
        """
        from filelock import FileLock, Timeout  # noqa: PLC0415 - `contrique --help` needs none

        lock = self.folder / ".lock"
        claim = FileLock(lock, timeout=0)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _refuse_oddity(lock)
            claim.acquire()
        except Timeout as error:
            raise BadRun(
                f"another process is training in {self.folder}; wait for it or choose another "
                "--output"
            ) from error
        except NotImplementedError:  # no locks here: no claim, no protection
            pass
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise CannotWrite(
                    f"the folder {self.folder} cannot be made or written to "
                    f"({(error.strerror or str(error)).lower()}); choose another --output"
                ) from error
        try:
            yield
        finally:
            claim.release()

    def write_config(self, config: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Write the whole configuration, first thing.

        Raises:
            CannotWrite: see `writing.replacing`.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        content = {"format": FORMAT, "config": config, **facts}
        with replacing(self.config) as file:
            file.write(json.dumps(content, indent=1).encode() + b"\n")

    def check_config(self, config: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Refuse to go on with a run under another configuration.

        Raises:
            BadRun: it differs in what changes the weights.
        """
        stored = read_config(self.folder)
        if stored is None:
            return
        before = {**stored["config"], **{name: stored.get(name) for name in facts}}
        now = {**config, **facts}
        changes = [
            f"{name} was {before.get(name)!r}, is now {now[name]!r}"
            for name in sorted(now)
            if name not in CONVENIENCE and before.get(name) != now[name]
        ]
        if changes:
            raise BadRun(
                f"{self.folder} holds a run with other settings: {'; '.join(changes)}; give the "
                "same to go on with it, or another --output to begin anew"
            )

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
                f"{self.metrics} cannot be written ({(error.strerror or str(error)).lower()}); the "
                "last checkpoint is whole: free space, then run the same command again to go on"
            ) from error

    def read_metrics(self) -> list[dict[str, Any]]:
        """All whole lines."""
        if not self.metrics.exists():
            return []
        rows = []
        for line in self.metrics.read_text(encoding="utf-8").splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:  # cut off by a kill
                continue
        return rows

    def forget_metrics_after(self, step: int) -> None:
        """Drop the lines of steps that will be done again."""
        rows = [row for row in self.read_metrics() if row["step"] <= step]
        if self.metrics.exists():
            with replacing(self.metrics) as file:
                file.writelines(json.dumps(row).encode() + b"\n" for row in rows)


def _refuse_oddity(lock: Path) -> None:
    """See that what stands in a lock's place is a lock: a link leads to a file of somebody else.

    Raises:
        CannotWrite: it is not.
    """
    if lock.is_symlink() or (lock.exists() and not lock.is_file()):
        raise CannotWrite(f"{lock} is no plain file; remove it, or choose another --output")


def read_config(folder: Path) -> dict[str, Any] | None:
    """The configuration a run was started with: `config` and facts; None for a new run.

    Raises:
        BadRun: the file is there but damaged.
    """
    path = folder / "config.json"
    if not path.exists():
        return None
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        content["config"] = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in checked(content["config"], str(path)).items()
        }
    except (OSError, ValueError, KeyError, TypeError, BadOption) as error:
        raise BadRun(f"{path} is damaged ({error}); choose another --output") from error
    return content
