"""Tar files read once from front to end, in memory: nothing is ever extracted, whatever it says."""

from __future__ import annotations

import io
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from contrique_cli.errors import DamagedShard, ShardError, Unreadable
from contrique_cli.files import reading
from contrique_cli.photos.opening import Encoded, Pending
from contrique_cli.shards.picture import MAX_BYTES, Picture, is_picture, key_of, too_large

_GZIP = b"\x1f\x8b"

MAX_HEADER = 1 << 20
"""Bytes of a long name or of extended attributes beyond which a tar file is hostile."""

_LONG_HEADERS = (
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
)


def pictures(file: BinaryIO, left_out: Counter[str]) -> Iterator[Picture]:
    """The pictures of a tar file, also a compressed one, in its order.

    Names are only names: links, devices, absolute ones and those with `..` harm nothing.

    Args:
        file: read once, from where it stands; need not be seekable.
        left_out: counts, by reason, what is no picture; filled while iterating.

    Raises:
        DamagedShard: it is none, or ends too early; what came before stands.
        ShardError: the file cannot be read.
    """
    buffered = io.BufferedReader(cast("io.RawIOBase", file))
    # On purpose no bzip2 and xz: a few bytes of theirs can hold gigabytes, unpacked at once.
    mode: Literal["r|", "r|gz"] = "r|gz" if buffered.peek(2)[:2] == _GZIP else "r|"
    try:
        with tarfile.open(fileobj=buffered, mode=mode, tarinfo=_Header, encoding="utf-8") as tar:
            while (member := tar.next()) is not None:
                vars(tar)["members"].clear()  # else it keeps every header that it has read
                if member.isdir():
                    continue
                if not is_picture(member.name):
                    left_out["not a picture"] += 1
                    continue
                key = key_of(member.name)
                yield Picture(member=member.name, key=key, photo=_read(tar, member))
    except (ShardError, DamagedShard):
        raise
    except Exception as error:  # hostile headers raise anything; it is one shard
        raise DamagedShard(_reason(error)) from error
    finally:
        buffered.detach()


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Pending:
    name = Path(member.name)
    if not member.isreg() or member.issparse():
        return Unreadable(name, f"not a file in the shard but {_kind(member)}; it is not followed")
    if member.size > MAX_BYTES:
        return too_large(name, member.size)
    stream = tar.extractfile(member)
    data = b"" if stream is None else stream.read()
    if len(data) < member.size:
        raise DamagedShard("it ends in the middle of a member")
    return Encoded(path=name, data=data)


def _kind(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return "a link"
    return "a sparse file" if member.issparse() else "a device or pipe"


class _Header(tarfile.TarInfo):
    """A member's header that is not taken for the end of the file where it is damaged."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> _Header:
        """See `tarfile`, which ends without a word at a header that is cut short or overwritten."""
        if len(buf) < tarfile.BLOCKSIZE:
            raise DamagedShard("it ends without the mark of its end")
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise DamagedShard(_reason(error)) from error
        if header.size < 0 or (header.type in _LONG_HEADERS and header.size > MAX_HEADER):
            raise DamagedShard(f"a header promises {header.size:,} bytes")
        return header


def _reason(error: BaseException) -> str:
    return f"no tar file, or damaged ({reading.why(error)})"
