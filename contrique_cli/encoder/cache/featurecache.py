"""Features of photos seen before, in one SQLite file of bounded size that any run may share.

A run works without it whenever it must: whatever is wrong with the file or its disk becomes a
sentence in `FeatureCache.notes`, never an exception. Nothing in the file is trusted: its tables
must be exactly ours, lengths and checksums are verified, and numbers are read as numbers.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import platformdirs

from contrique_cli import config
from contrique_cli.encoder.cache.identity import Status
from contrique_cli.encoder.cache.sqlitefile import SqliteFile, live_bytes, transaction
from contrique_cli.errors import CannotWrite
from contrique_cli.photos import content
from contrique_cli.words import plural

FORMAT = 2
"""Version of the tables. It is part of the file's name, so that no version wipes another's file."""

STORED = np.dtype("<f4")
"""Every bit of a feature, so that no score depends on whether its photo was seen before. On purpose
not half precision: that moved scores of a bundled model by up to 0.04 of 100, and would by more
where a regressor has larger weights. 2 GB hold about 120,000 photos of 4,096 numbers."""

BATCH, SECONDS = 8, 1.0
"""A transaction ends at so many photos or seconds: what a killed run loses at most."""

_HOUR = 3600  # seconds: the grain of "least recently used", so that a rerun writes next to nothing
_PAUSE = 60.0  # seconds until the next trial where another process did not let go of the file
_MOST_UNWRITTEN = 512  # photos kept back meanwhile, or marked as used in one transaction
_KEPT_SHARE = 0.9  # of the limit, left after making room
_COLUMNS = (
    "id INTEGER PRIMARY KEY, origin BLOB, photo BLOB, used INTEGER, width INTEGER, "
    "height INTEGER, source TEXT, note TEXT, rating REAL, checksum INTEGER, features BLOB"
)
_SCHEMA = (
    "CREATE TABLE origins (digest BLOB PRIMARY KEY, facts TEXT)",
    f"CREATE TABLE photos ({_COLUMNS})",
    "CREATE UNIQUE INDEX photos_by_content ON photos (origin, photo)",
    "CREATE INDEX photos_by_use ON photos (used, id)",
    "CREATE TABLE files (file BLOB PRIMARY KEY, state BLOB, digest BLOB) WITHOUT ROWID",
)
_SELECT = (
    "SELECT id, used, width, height, source, note, rating, checksum, features FROM photos "
    "WHERE origin = ? AND photo = ? AND length(features) = ?"
)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """How features were made; those of another origin are never taken.

    Attributes:
        encoder: fingerprint of the encoder.
        arch: what kind of encoder that is, for people.
        preprocessing: `opening.PREPROCESSING`.
        max_side: working size in pixels; 0 is full resolution.
        numbers: length of a feature vector, 2F.
        numerics: what the encoder computes in, one of `config.PRECISIONS`, so that no score
            depends on which way met the photo first; a CPU and a GPU count as one.
    """

    encoder: str
    arch: str
    preprocessing: int
    max_side: int
    numbers: int
    numerics: str = "fp32"

    @cached_property
    def digest(self) -> bytes:
        """16 bytes that stand for all of it."""
        return hashlib.blake2b(json.dumps(asdict(self)).encode(), digest_size=16).digest()


class Remembered(NamedTuple):
    """What the cache knows of a photo.

    Attributes:
        width, height: of the file, in upright pixels.
        source: what was decoded, see `decoding.Photo`.
        values: features, shape (2F,), float32.
        note: what is wrong with it, see `decoding.Photo`.
        rating: a person's stars inside it, see `decoding.Photo`.
    """

    width: int
    height: int
    source: str
    values: np.ndarray
    note: str | None = None
    rating: float | None = None


class Part(NamedTuple):
    """Photos of one origin; the facts are those of `Origin`, or none where they are lost."""

    facts: dict[str, Any]
    photos: int


def location() -> Path:
    """The cache's file in the user's cache folder; it need not exist."""
    folder = platformdirs.user_cache_path("contrique", appauthor=False)
    return folder / f"features-{FORMAT}.sqlite"


class FeatureCache:
    """A cache in use; close it at the end, or let a `with` block do so.

    Safe with several processes on one file and with several threads on one object.

    Args:
        path: the file; made when missing, made anew when damaged.
        limit: bytes, see `config.CACHE_BYTES`.
        now: the clock, seconds since 1970.

    Attributes:
        path, limit: as given.
    """

    def __init__(
        self,
        path: Path,
        *,
        limit: int = config.CACHE_BYTES,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self.limit = limit
        self._now = now
        self._file = SqliteFile(path, "feature cache", _SCHEMA)
        self._lock = threading.RLock()
        self._origins: dict[bytes, str] = {}
        self._unwritten: list[tuple[Any, ...]] = []
        self._files: dict[bytes, tuple[bytes, bytes]] = {}  # by file_id, state and digest
        self._used: set[int] = set()  # rows to mark as used now
        self._next_write = time.monotonic() + SECONDS
        self._is_refused = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def notes(self) -> list[str]:
        """What the user should know, a sentence each."""
        return self._file.notes

    def find(self, origin: Origin, key: bytes) -> Remembered | None:
        """What is known of a photo by its key, see `identity.make_key`; None where nothing is."""
        wanted = (origin.digest, key, origin.numbers * STORED.itemsize)
        row = self._file.attempt(lambda file: file.execute(_SELECT, wanted).fetchone(), None)
        if row is None:
            return None
        number, used, *facts = row
        found = _parse(facts)
        if found is None:
            self._file.note(f"parts of the feature cache {self.path} were damaged: made anew")
        elif used != self._hour():
            with self._lock:
                self._used.add(number)
                self._flush_much()
        return found

    def keep(self, origin: Origin, key: bytes, found: Remembered) -> None:
        """Remember a photo; on disk when the batch is full, or when the cache is closed."""
        values = found.values.astype(STORED, copy=False).tobytes()
        facts = (found.width, found.height, found.source, found.note, found.rating)
        row = (origin.digest, key, self._hour(), *facts)
        with self._lock:
            self._origins.setdefault(origin.digest, json.dumps(asdict(origin)))
            self._unwritten.append((*row, _checksum(facts, values), values))
            is_full = len(self._unwritten) >= BATCH and not self._is_refused
            if is_full or time.monotonic() >= self._next_write:
                self.flush()

    def find_fact(self, key: bytes) -> str | None:
        """A fact kept beside the photos; None where there is none."""
        ask = "SELECT facts FROM origins WHERE digest = ?"
        row = self._file.attempt(lambda file: file.execute(ask, (key,)).fetchone(), None)
        return None if row is None else str(row[0])

    def keep_fact(self, key: bytes, fact: str) -> None:
        """Remember a fact, in the place of an older one; not kept where the file cannot be."""

        def write(file: sqlite3.Connection) -> None:
            with transaction(file):
                file.execute("INSERT OR REPLACE INTO origins VALUES (?, ?)", (key, fact))

        self._file.attempt(write, None)

    def find_digest(self, status: Status) -> bytes | None:
        """The hash of a file that has not changed since it was kept; None where it is unknown."""
        query = "SELECT digest FROM files WHERE file = ? AND state = ?"
        wanted = (status.file_id, status.state)
        row = self._file.attempt(lambda file: file.execute(query, wanted).fetchone(), None)
        digest = row and row[0]
        return digest if isinstance(digest, bytes) else None

    def keep_digest(self, status: Status, digest: bytes) -> None:
        """Remember the hash of a file whose status proves that it is unchanged."""
        with self._lock:
            self._files[status.file_id] = (status.state, digest)
            self._flush_much()

    def _flush_much(self) -> None:
        is_much = max(len(self._used), len(self._files)) >= _MOST_UNWRITTEN
        if is_much and not self._is_refused:
            self.flush()

    def flush(self) -> None:
        """Write what is only in memory so far."""
        with self._lock:
            if not (self._unwritten or self._used or self._files):
                return
            self._is_refused = not self._file.attempt(self._write, otherwise=False)
            self._next_write = time.monotonic() + (_PAUSE if self._is_refused else SECONDS)
            if not self._is_refused or len(self._unwritten) >= _MOST_UNWRITTEN:
                self._unwritten.clear()
                self._files.clear()
                self._used.clear()

    def close(self) -> None:
        """Write the rest and let go of the file; what follows finds and keeps nothing."""
        self.flush()
        if self._unwritten and self._file.is_open:
            self._file.note(
                f"{plural(len(self._unwritten), 'photo')} not kept in the feature cache "
                f"{self.path}: another process did not let go of it"
            )
        self._file.close()

    def list_parts(self) -> list[Part]:
        """How many photos of which origins there are, most first."""

        def count(file: sqlite3.Connection) -> list[Any]:
            return file.execute(
                "SELECT facts, n FROM (SELECT origin, count(*) AS n FROM photos GROUP BY origin) "
                "LEFT JOIN origins ON digest = origin ORDER BY n DESC"
            ).fetchall()

        rows: list[Any] = self._file.attempt(count, [])
        return [Part(_facts(text), photos) for text, photos in rows]

    def measure(self) -> int:
        """Bytes on disk, the write-ahead log included."""
        files = (self.path, self.path.with_name(f"{self.path.name}-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def clear(self) -> int:
        """Forget every photo and give the space back.

        Returns:
            How many photos there were.

        Raises:
            CannotWrite: another process does not let go of the file, or the disk refuses.
        """

        def empty(file: sqlite3.Connection) -> int:
            with transaction(file):
                photos = _count(file)
                file.execute("DELETE FROM photos")
                file.execute("DELETE FROM files")
                file.execute("DELETE FROM origins")
            file.execute("VACUUM")
            file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return photos

        before = self._file.attempt(_count, 0)
        done = self._file.attempt(empty, None)
        if done is None and not self._file.is_open and self._file.remove():
            self.notes.clear()  # the disk was full, so that only taking the file away was left
            return before
        if done is None:
            why = self.notes[-1] if self.notes else "another contrique is at work with it"
            raise CannotWrite(f"the feature cache was not cleared: {why}; try again")
        return done

    def _hour(self) -> int:
        return int(self._now() // _HOUR)

    def _write(self, file: sqlite3.Connection) -> bool:
        with transaction(file):
            file.executemany("INSERT OR IGNORE INTO origins VALUES (?, ?)", self._origins.items())
            file.executemany(
                "INSERT OR REPLACE INTO photos VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                self._unwritten,
            )
            file.executemany(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?)",
                [(file_id, *known) for file_id, known in self._files.items()],
            )
            file.executemany(
                "UPDATE photos SET used = ? WHERE id = ?",
                [(self._hour(), number) for number in self._used],
            )
        while (size := live_bytes(file)) > self.limit and (photos := _count(file)):
            share = 1 - _KEPT_SHARE * self.limit / size
            _forget(file, int(photos * share) + 1)
        return True


def _count(file: sqlite3.Connection) -> int:
    return int(file.execute("SELECT count(*) FROM photos").fetchone()[0])


def _forget(file: sqlite3.Connection, photos: int) -> None:
    """Drop so many photos, those unused for longest first."""
    with transaction(file):
        file.execute(
            "DELETE FROM photos WHERE id IN (SELECT id FROM photos ORDER BY used, id LIMIT ?)",
            (photos,),
        )
        file.execute(
            "DELETE FROM files WHERE digest NOT IN (SELECT substr(photo, 1, ?) FROM photos)",
            (content.DIGEST,),
        )


def _checksum(facts: tuple[int, int, str, str | None, float | None], values: bytes) -> int:
    return zlib.crc32(values, zlib.crc32(repr(facts).encode()))


def _parse(facts: list[Any]) -> Remembered | None:
    """What a row says, or None where it cannot be believed; its length is right already."""
    width, height, source, note, rating, checksum, values = facts
    is_sound = (
        isinstance(values, bytes)
        and isinstance(width, int)
        and isinstance(height, int)
        and min(width, height) > 0
        and isinstance(source, str)
        and isinstance(note, str | None)
        and isinstance(rating, float | None)
        and checksum == _checksum((width, height, source, note, rating), values)
    )
    if not is_sound:
        return None
    numbers = np.frombuffer(values, dtype=STORED)
    if not np.isfinite(numbers).all():
        return None
    return Remembered(width, height, source, numbers, note, rating)


def _facts(text: object) -> dict[str, Any]:
    try:
        facts = json.loads(str(text))
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}
