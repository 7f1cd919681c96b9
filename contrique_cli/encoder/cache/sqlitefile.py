"""A SQLite file that a run can do without: made anew when damaged, given up on a bad disk."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from contrique_cli.files.reading import why

_WAIT = 5.0  # seconds for another process to finish its transaction
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
_IN_USE = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}

T = TypeVar("T")


class SqliteFile:
    """A file in use by this process and perhaps by others.

    Args:
        path: made when missing, its folder too.
        name: what messages call it.
        schema: the statements that make its tables; a file that holds anything else (triggers,
            views, other columns) counts as damaged.

    Attributes:
        notes: what went wrong with it, a sentence each.
    """

    def __init__(self, path: Path, name: str, schema: Sequence[str]) -> None:
        self.notes: list[str] = []
        self._path = path
        self._name = f"the {name} {path}"
        self._schema = tuple(schema)
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._was_rebuilt = False
        self._open()

    @property
    def is_open(self) -> bool:
        """False once it is closed or given up; then `attempt` does nothing."""
        return self._connection is not None

    def attempt(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """What `work` gives, or `otherwise` where the file does not allow it.

        A damaged file is made anew, and the work done on the new one; a file that another process
        does not let go of stays as it is; any other trouble closes it for good.
        """
        with self._lock:
            if self._connection is None:
                return otherwise
            try:
                return work(self._connection)
            except sqlite3.Error as error:
                code = _code(error)
                if code in _DAMAGE:
                    self._rebuild()
                    return self.attempt(work, otherwise)  # once: see `_rebuild`
                if code not in _IN_USE:
                    self._give_up(error)
                return otherwise

    def close(self) -> None:
        """Let go of it."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def note(self, sentence: str) -> None:
        """Add to the notes what is not there already."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def remove(self) -> bool:
        """Close it and take it off the disk, which works on a full one, too.

        A process that has it open goes on with what is no longer to be seen.

        Returns:
            Whether it is gone.
        """
        with self._lock:
            self.close()
            try:
                self._unlink()
            except OSError:
                return False
            return True

    def _unlink(self) -> None:
        for suffix in ("", "-wal", "-shm", "-journal"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _open(self) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._connection = _connect(self._path, self._schema)
            self._inode = self._path.stat().st_ino
        except sqlite3.Error as error:
            if _code(error) in _DAMAGE:
                self._rebuild()
            else:
                self._give_up(error)
        except OSError as error:
            self._give_up(error)

    def _rebuild(self) -> None:
        """Start an empty file in its place, at most once per run."""
        self.close()
        if self._was_rebuilt:
            self._give_up(sqlite3.DatabaseError("damaged again"))
            return
        self._was_rebuilt = True
        try:
            # Unless another process was faster, and what lies there is new.
            if not self._inode or self._path.stat().st_ino == self._inode:
                self._unlink()
        except OSError as error:
            self._give_up(error)
            return
        self.note(f"{self._name} was damaged and has been started anew")
        self._open()

    def _give_up(self, error: Exception) -> None:
        self.close()
        reason = why(error).lower()
        self.note(f"{self._name} cannot be used ({reason}): going on without it")


@contextmanager
def transaction(file: sqlite3.Connection) -> Iterator[None]:
    """All that the block writes, or nothing of it."""
    file.execute("BEGIN IMMEDIATE")
    try:
        yield
        file.execute("COMMIT")
    except BaseException:
        if file.in_transaction:
            file.execute("ROLLBACK")
        raise


def live_bytes(file: sqlite3.Connection) -> int:
    """Bytes in pages that hold something; the others serve what comes next."""
    pages, free, size = (
        int(file.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def _connect(path: Path, schema: tuple[str, ...]) -> sqlite3.Connection:
    """Open the file and make sure that it holds exactly these tables."""
    deadline = time.monotonic() + _WAIT
    while True:
        # On purpose no thread check: `SqliteFile` has a lock.
        file = sqlite3.connect(path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
        try:
            _prepare(file, schema)
        except BaseException as error:
            file.close()
            # Switching to a write-ahead log does not wait for another process that does the same.
            is_passing = isinstance(error, sqlite3.Error) and _code(error) in _IN_USE
            if not is_passing or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return file


def _prepare(file: sqlite3.Connection, schema: tuple[str, ...]) -> None:
    file.execute("PRAGMA trusted_schema = OFF")
    file.execute("PRAGMA cell_size_check = ON")
    file.execute("PRAGMA journal_mode = WAL")
    file.execute("PRAGMA synchronous = NORMAL")  # no transaction waits for the disk
    tables = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"  # VACUUM changes their order
    if not file.execute(tables).fetchall():
        with transaction(file):
            if not file.execute(tables).fetchall():  # another process may have been faster
                for statement in schema:
                    file.execute(statement)
    if sorted(sql for (sql,) in file.execute(tables)) != sorted(schema):
        raise sqlite3.DatabaseError("its tables are not ours")


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; what Python itself complains about counts as damage."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
