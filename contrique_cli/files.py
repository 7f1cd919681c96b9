"""Files on disk, written whole or not at all: beside the target, flushed, then renamed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from contrique_cli.errors import CannotWrite


@contextmanager
def replacing(path: Path, *, keep: bool = True) -> Iterator[IO[bytes]]:
    """Open a binary file that takes the place of `path` when the block ends without an error.

    A full disk, a kill or an exception leaves what stood at `path` as it was.

    Args:
        path: the file to write.
        keep: False only tries whether the place can be written to.

    Raises:
        CannotWrite: the folder is missing, not writable or full.
    """
    if path.is_dir():
        raise CannotWrite(f"{path} is a folder; give the name of a file")
    target = path.resolve()  # through a symbolic link, so that the link stays one
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=target.parent, prefix=f".{target.name[:80]}.", suffix=".part", delete=False
        ) as file:
            temporary = Path(file.name)
            yield file
            file.flush()
            os.fsync(file.fileno())
        if keep:
            temporary.chmod(_mode_for(target))
            temporary.replace(target)
            temporary = None
    except OSError as error:
        if error.filename not in (None, str(temporary)) and temporary is not None:
            raise  # the block's own trouble with another file
        raise CannotWrite(
            f"{path} cannot be written ({(error.strerror or str(error)).lower()}); "
            "what stood there is unchanged: free space or choose another place"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _mode_for(target: Path) -> int:
    """The permissions a plain `open` would give, or those of the file being replaced."""
    try:
        return target.stat().st_mode & 0o777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
