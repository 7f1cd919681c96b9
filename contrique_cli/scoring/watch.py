"""Watch folders: which photos have arrived, are complete and wait to be scored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from contrique_cli import config
from contrique_cli.errors import Unreadable
from contrique_cli.photos import finding


class Arrivals(NamedTuple):
    """What a look at the folders brought.

    Attributes:
        ready: photos to score, in the order of `finding.find`.
        companions: the RAW file beside each of them that has one, see there.
        troubles: paths that cannot be looked at, each told once, until its reason changes.
    """

    ready: list[Path]
    companions: dict[Path, Path]
    troubles: list[Unreadable]


@dataclass
class _Seen:
    state: str
    since: float
    is_done: bool


def state(path: Path, companion: Path | None = None) -> str:
    """Size, time of change and inode of a file, and its companion's name, in one word.

    A file put in place of another counts as a change, though size and time be equal; so does a
    RAW file that comes to lie beside its JPEG.

    Raises:
        OSError: it is gone, say.
    """
    status = path.stat()
    beside = "" if companion is None else f"+{companion.name}"
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ino}{beside}"


class Watcher:
    """Remembers what it saw of each photo that is there now, and of no other."""

    def __init__(
        self,
        folders: Sequence[Path],
        *,
        is_known: Callable[[Path, str], bool],
        has_pairs: bool = True,
        settle: float = config.WATCH_SETTLE,
    ) -> None:
        """Begin; nothing is looked at yet.

        Args:
            folders: to watch, to any depth; see `finding.find` for what is left out.
            is_known: whether a photo was scored in this `state` before the watch began.
            has_pairs: whether a RAW file and its JPEG are one photo.
            settle: seconds without a change after which a photo counts as complete.
        """
        self._folders = folders
        self._is_known = is_known
        self._has_pairs = has_pairs
        self._settle = settle
        self._seen: dict[Path, _Seen] = {}
        self._told: dict[Path, str] = {}

    def poll(self, now: float) -> Arrivals:
        """Look once.

        A photo is ready when size and time of change have stood still for `settle` seconds, from
        one look to another; once more after each later change. A folder that cannot be looked at
        costs nothing that is known of its photos.

        Args:
            now: seconds of a clock that never goes back.
        """
        ready: list[Path] = []
        troubles: dict[Path, Unreadable] = {}
        there: dict[Path, _Seen] = {}
        companions: dict[Path, Path] = {}
        pairs = companions if self._has_pairs else None
        for found in finding.find(self._folders, Counter(), pairs):
            if isinstance(found, Unreadable):
                troubles[found.path] = found
                continue
            seen = self._look(found, companions.get(found), now)
            if seen is None:
                continue
            if not seen.is_done and now - seen.since >= self._settle:
                seen.is_done = True
                ready.append(found)
            there[found] = seen
        self._seen = self._seen | there if troubles else there
        new = [one for path, one in troubles.items() if self._told.get(path) != one.reason]
        self._told = {path: one.reason for path, one in troubles.items()}
        beside = {path: companions[path] for path in ready if path in companions}
        return Arrivals(ready, beside, new)

    def seen(self, path: Path) -> str | None:
        """The state in which a photo was last looked at, which is that it was ready in."""
        seen = self._seen.get(path)
        return None if seen is None else seen.state

    def _look(self, path: Path, companion: Path | None, now: float) -> _Seen | None:
        try:
            found = state(path, companion)
        except OSError:  # gone in this moment
            return None
        seen = self._seen.get(path)
        if seen is not None and seen.state == found:
            return seen
        is_known = seen is None and self._is_known(path, found)
        return _Seen(found, since=now, is_done=is_known)
