"""Whether a file is a photo by what it begins with, whatever it is called; nothing is decoded."""

from __future__ import annotations

import re
from pathlib import Path

from contrique_cli.files import reading

_HEAD = 32

_BEGINNINGS = re.compile(
    rb"\xff\xd8\xff"  # JPEG
    rb"|\x89PNG\r\n\x1a\n"
    rb"|GIF8[79]a"
    rb"|RIFF....WEBP"
    rb"|BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0"  # BMP, by the length of its header
    rb"|II[*+]\0|MM\0[*+]"  # TIFF, and the RAW files of most cameras
    rb"|IIR[OS]|IIU\0|FUJIFILMCCD-RAW|\0MRM|FOVb"  # Olympus, Panasonic, Fujifilm, Minolta, Sigma
    rb"|....ftyp(avi[fs]|hei[cxmsf]|hev[cx]|mif[12]|msf1|crx )"  # AVIF, HEIC, Canon
    rb"|\xff\x0a|\0\0\0\x0c(JXL |jP  )\r\n\x87\n|\xff\x4f\xff\x51",  # JPEG XL, JPEG 2000
    re.DOTALL,
)


def is_photo(path: Path) -> bool:
    """Whether a regular file, links followed, begins as a photo does.

    Raises:
        Unreadable: it is no regular file, or empty.
        OSError: it cannot be opened.
    """
    with reading.opened(path) as file:
        return _BEGINNINGS.match(file.read(_HEAD)) is not None
