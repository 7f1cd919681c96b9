"""The gallery: ranked rows and their thumbnails as one HTML page that needs nothing else.

The page is put together from the files in `page/`. What comes from outside - names,
reasons, thumbnails - goes into data blocks that a browser never runs, and the page's own script
shows it as text only. The content security policy lets no other script run and nothing load from
a network; originals may be shown from local files.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote_from_bytes

from contrique_cli.reports.rows import Row, printed
from contrique_cli.reports.thumbnails import MIME
from contrique_cli.version import __version__

FORMAT = 1
"""Version of the data in the page."""

SIZES = ((1000, 480), (4000, 320))
"""Up to so many photos, thumbnails of so many pixels; further ones are of `SMALLEST`, so that a
page stays below about 50 MB."""

SMALLEST = 256
"""Pixels on the long side of the thumbnails of a very large gallery."""

BLOCK = 50
"""Thumbnails in one data block, which is read when the first of them comes into view."""

END_OF_BLOCK = "."
"""Last line of a block: tells a block that is still loading from a whole one."""

ID_DIGITS = 12
"""Hexadecimal digits by which the page remembers a picked photo."""

MOST_STARS = 5
"""What a person may give; a stranger's report may say anything."""

SCRIPTS = "data filter layout grid stars large picks compare keys page".split()
"""The page's script files, in the order in which they build on each other."""

_IN_SCRIPT = str.maketrans({"<": r"\u003c", ">": r"\u003e", "&": r"\u0026"})


def size_for(photos: int) -> int:
    """Pixels on the long side of thumbnails that keep a page of so many photos usable."""
    return next((side for limit, side in SIZES if photos <= limit), SMALLEST)


def write(
    file: IO[bytes], rows: Sequence[Row], thumbnails: Iterable[bytes | None], *, folder: Path
) -> None:
    """Write the page.

    Args:
        file: to write to, block by block: no more than one block of thumbnails is in memory.
        rows: ranked and selected; those without a score are listed with their reason.
        thumbnails: of the rows with a score, in their order, as `thumbnails.MIME`; None where
            there is none.
        folder: where the page will lie; links to the originals start there.
    """
    scored = [row for row in rows if row.score is not None]
    script, style = _script(), _read("page.css")
    parts: dict[str, Iterable[str]] = {
        "VERSION": [__version__],
        "POLICY": [_policy(script, style)],
        "STYLE": [style],
        "DATA": [_in_script(_data(rows, folder))],
        "SCRIPT": [script],
        "THUMBNAILS": _blocks(thumbnails, len(scored)),
    }
    template = _read("page.html")
    for index, text in enumerate(re.split(r"@@([A-Z]+)@@", template)):
        for piece in parts[text] if index % 2 else [text]:
            file.write(piece.encode("utf-8"))


def _read(name: str) -> str:
    folder = resources.files("contrique_cli") / "reports" / "page"
    return (folder / name).read_text(encoding="utf-8")


def _script() -> str:
    parts = "\n".join(_read(f"{name}.js") for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}\n}})();\n'


def _policy(script: str, style: str) -> str:
    """Only this very script and style; pictures from the page itself and from local files."""
    return (
        "default-src 'none'; img-src data: file:; base-uri 'none'; form-action 'none'; "
        f"script-src {_hash(script)}; style-src {_hash(style)}"
    )


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest())
    return f"'sha256-{digest.decode('ascii')}'"


def _in_script(value: Any) -> str:
    """JSON that nothing can end the script element from; ASCII, lone surrogates as escapes."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.translate(_IN_SCRIPT)


def _data(rows: Sequence[Row], folder: Path) -> dict[str, Any]:
    start = Path(os.path.abspath(folder))  # noqa: PTH100 - see `_photo`
    scored = [row for row in rows if row.score is not None]
    flaws = list(dict.fromkeys(name for row in scored for name, _ in row.flaws))
    return {
        "format": FORMAT,
        "mime": MIME,
        "block": BLOCK,
        "separator": os.sep,
        "folder": str(Path.cwd()),
        "flaws": flaws,
        "photos": [_photo(row, start, flaws) for row in scored],
        "failed": [
            {"path": str(row.path), "error": row.error or ""} for row in rows if row.score is None
        ],
    }


def _photo(row: Row, start: Path, flaws: Sequence[str]) -> dict[str, Any]:
    """What the page knows of a photo; facts that there are none of are left out.

    Probabilities are in thousandths, in the order of the flaws: their names are in the page once.
    """
    absolute = os.path.abspath(row.path)  # noqa: PTH100 - `resolve` would follow symbolic links
    facts = {
        "id": hashlib.sha256(os.fsencode(absolute)).hexdigest()[:ID_DIGITS],
        "path": str(row.path),
        "href": link(Path(absolute), start),
        "rank": row.rank,
        "score": None if row.score is None else printed(row.score),
        "flaw": row.flaw,
        "probability": row.flaw_probability,
        "chances": _in_thousandths(row, flaws),
        "width": row.width,
        "height": row.height,
        "source": row.source,
        "burst": row.burst,
        "best": row.is_burst_best or None,
        "kind": row.burst_kind,
        "companion": None if row.companion is None else str(row.companion),
        "note": row.note,
        "rating": row.rating if -1 <= (row.rating or 0) <= MOST_STARS else None,
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def _in_thousandths(row: Row, flaws: Sequence[str]) -> list[int | None] | None:
    chances = {name: round(chance * 1000) for name, chance in row.flaws}
    return [chances.get(name) for name in flaws] if chances else None


def link(path: Path, folder: Path) -> str:
    """A percent-encoded reference from a page in `folder` to a file, both absolute.

    Relative, so that folder and page may move together; the file's own URI where there is no way
    from one to the other (two drives).
    """
    try:
        relative = os.path.relpath(path, folder)
    except ValueError:
        return path.as_uri()
    plain = os.fsencode(relative.replace(os.sep, "/"))
    return f"./{quote_from_bytes(plain)}"  # a name may hold a colon or begin with a slash's twin


def _blocks(thumbnails: Iterable[bytes | None], count: int) -> Iterator[str]:
    """Data blocks of base64 lines, an empty line for a thumbnail that is not there."""
    done, rest = 0, iter(thumbnails)
    while block := list(islice(rest, BLOCK)):
        number = done // BLOCK
        done += len(block)
        lines = [base64.b64encode(one or b"").decode("ascii") for one in block]
        text = "\n".join([*lines, END_OF_BLOCK])
        yield f'<script type="text/plain" id="thumbnails-{number}">{text}</script>\n'
    if done != count:
        raise ValueError(f"{done} thumbnails for {count} photos with a score")
