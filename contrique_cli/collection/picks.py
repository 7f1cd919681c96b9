"""A list of picks: the stars that a person gave in the gallery, read from what it downloads."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from contrique_cli.errors import BadReport
from contrique_cli.reports.reading import to_path
from contrique_cli.reports.rows import Row

FORMAT, VERSION = "contrique-picks", 1
"""What a list of picks says of itself."""

LIMIT = 16 * 2**20
"""Bytes above which a list is not read: some 200,000 photos."""

RATINGS = range(-1, 6)
"""What a person may give: rejected, no stars, 1 to 5 stars."""

_HEAD = 2**16  # bytes in which a list says what it is
_IS_LIST = re.compile(
    rb'"format"\s*:\s*"contrique-picks"'
)  # in no string: quotes are escaped there


@dataclass(frozen=True, kw_only=True)
class Picks:
    """A list of picks.

    Attributes:
        folder: absolute, that relative paths start from; None where the list does not say.
        rows: photos in the order of the list, each once, with their rating, which may be 0, and
            nothing else; of one listed twice the later holds.
    """

    folder: Path | None
    rows: list[Row]

    def moved_to(self, folder: Path) -> list[Row]:
        """The rows with relative paths that start from elsewhere."""
        return [
            replace(
                row,
                path=folder / row.path,
                companion=None if row.companion is None else folder / row.companion,
            )
            for row in self.rows
        ]


def is_list(data: bytes) -> bool:
    """Whether some file is a list of picks, not a report."""
    return data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and bool(
        _IS_LIST.search(data[:_HEAD])
    )


def parse(data: bytes, name: str) -> Picks:
    """What a list of picks says.

    Args:
        data: the whole file: UTF-8 JSON, an object of `format`, `version`, `folder` and `photos`,
            which are objects of `path`, `rating` and, where a pair is one photo, `companion`.
        name: of the file, for messages.

    Raises:
        BadReport: it is none, of another version, too large, or photo so-and-so makes no sense.
    """
    if len(data) > LIMIT:
        raise BadReport(f"{name} is larger than {LIMIT // 2**20} MB, so it is no list of picks")
    try:
        document = json.loads(data.decode("utf-8-sig"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BadReport(f"{name} is damaged: it is no JSON; download it again") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise BadReport(f"{name} is no list of picks; the gallery downloads one")
    if document.get("version") != VERSION or isinstance(document.get("version"), bool):
        raise BadReport(f"{name} is a list of picks of a version that this program does not know")
    folder, photos = document.get("folder"), document.get("photos")
    if not isinstance(photos, list) or not photos:
        raise BadReport(f"{name} lists no photo; rate some in the gallery and download it again")
    rows: dict[Path, Row] = {}
    for number, photo in enumerate(photos, start=1):
        row = _row(photo, f"{name}, photo {number}")
        rows.pop(row.path, None)
        rows[row.path] = row
    start = None if folder is None else to_path(folder, f"{name}, folder")
    if start is not None and not start.is_absolute():
        raise BadReport(f"{name}: its folder is not absolute")
    return Picks(folder=start, rows=list(rows.values()))


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _row(photo: Any, where: str) -> Row:
    if not isinstance(photo, dict):
        raise BadReport(f"{where} is no photo with a path and a rating")
    rating, companion = photo.get("rating"), photo.get("companion")
    if type(rating) is not int or rating not in RATINGS:
        raise BadReport(f"{where}: its rating is none of -1 (rejected), 0 (none) and 1 to 5 stars")
    return Row(
        path=to_path(photo.get("path"), where),
        companion=None if companion is None else to_path(companion, where),
        rating=rating,
    )
