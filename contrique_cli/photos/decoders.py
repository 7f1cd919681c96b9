"""Pillow's decoders that may touch a file, and which of them takes it."""

from __future__ import annotations

import struct
from contextlib import suppress
from functools import cache
from importlib import import_module

from PIL import Image

from contrique_cli.errors import Refused
from contrique_cli.files import reading
from contrique_cli.photos import kinds, tiff
from contrique_cli.photos.content import Content

FORMATS = (
    *("JPEG", "MPO", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "HEIF", "JPEG2000", "JXL"),
)
"""Pillow decoders that may touch a file. On purpose no others: fewer parsers face hostile files."""

_PLUGINS = ("Jpeg", "Mpo", "Png", "WebP", "Tiff", "Bmp", "Gif", "Avif", "Jpeg2K")
"""Pillow's names for the files of these decoders, but for those of other packages."""


class UnknownKind(Exception):
    """A decoder knows the format, and not this file."""


def identify(whole: Content, head: bytes) -> Image.Image:
    """Read the header; only then is known how much the file wants.

    On purpose not by `Image.open`, whose own limit of pixels holds for the whole process.

    Raises:
        Refused: no decoder takes it.
    """
    if kinds.is_heif(head):
        _register_heif()
    if kinds.is_jxl(head):
        _register_jxl()
    _register_formats()
    complaint = ""
    for name in FORMATS:
        factory, accept = Image.OPEN.get(name, (None, None))
        if factory is None or (accept and accept(head[:16]) is not True):
            continue
        whole.file.seek(0)
        try:
            return factory(whole.file, "")
        except (SyntaxError, IndexError, TypeError, struct.error) as error:
            complaint = (
                f"damaged, or a {name} of a kind that cannot be read ({reading.why(error)}): open "
                "it elsewhere and save it anew"
            )
    raise UnknownKind(complaint) if complaint else Refused(kinds.describe(head))


@cache
def _register_formats() -> None:
    """Load Pillow's decoders of `FORMATS`; all of them take as long as a photo."""
    for name in _PLUGINS:
        with suppress(ImportError):  # AVIF is younger than the oldest Pillow that is supported
            import_module(f"PIL.{name}ImagePlugin")
    tiff.know_more_kinds()


def _register_heif() -> None:
    try:
        import pillow_heif  # noqa: PLC0415 - the optional extra, needed by this file only
    except ImportError as error:
        raise Refused("HEIC needs the extra package: pip install 'contrique[heif]'") from error
    pillow_heif.register_heif_opener()


def _register_jxl() -> None:
    try:
        import pylibjxl  # noqa: PLC0415 - the optional extra, needed by this file only
    except ImportError as error:
        raise Refused("JPEG XL needs the extra package: pip install 'contrique[jxl]'") from error
    pylibjxl.register_pillow()
