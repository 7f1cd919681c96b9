"""Stars in XMP sidecars: from scores to stars, written only where we may; a person's, read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from contrique_cli import config
from contrique_cli.collection import xmp
from contrique_cli.errors import BadSidecar, CannotWrite, Unreadable
from contrique_cli.files import reading, writing
from contrique_cli.files.reading import why
from contrique_cli.photos import stars
from contrique_cli.reports.rows import Row, printed

Record = Callable[[Path, bytes | None, bytes], None]
"""Writes down that a sidecar is about to change: its path, its bytes now (None for no file) and
then."""

WRITTEN, UNCHANGED, KEPT, FAILED = "written", "unchanged", "kept", "failed"
"""What became of a sidecar."""

_SUFFIX = ".xmp"
_DNG = ".dng"  # the RAW file that programs write stars into
_MOST_FOLDERS = 32  # whose listings are remembered


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One sidecar.

    Attributes:
        sidecar: the file.
        photos: whose rating it holds; several where names without suffix coincide.
        mark: what was, or was to be, written.
        result: one of the four words above.
        is_new: whether there was no such file before.
        reason: why it failed, or where the rating of a person is that was kept.
    """

    sidecar: Path
    photos: tuple[Path, ...]
    mark: xmp.Mark
    result: str
    is_new: bool = False
    reason: str | None = None


def count_stars(score: float, thresholds: Sequence[float]) -> int:
    """Stars of a score on the 0-100 scale: how many of the rising thresholds it reaches."""
    return sum(score >= threshold for threshold in thresholds)


def find_sidecar(photo: Path, naming: str) -> Path:
    """Where a photo's sidecar lies or belongs.

    Args:
        photo: its path.
        naming: "full" for name.ext.xmp, "stem" for name.xmp.

    Returns:
        The existing file, be it called .xmp or .XMP; else the one to make, .xmp.
    """
    name = _name(photo, naming)
    usual, loud = (photo.parent / f"{name}{suffix}" for suffix in (_SUFFIX, _SUFFIX.upper()))
    return loud if os.path.lexists(loud) and not os.path.lexists(usual) else usual


def _name(photo: Path, naming: str) -> str:
    return photo.name if naming == "full" else photo.stem


def find_stars(photo: Path) -> float | None:
    """A person's stars: in name.ext.xmp, else name.xmp, else inside the photo; None without any.

    A sidecar that says "not rated" hides the stars inside the photo; see `stars.parse`.

    Raises:
        BadSidecar: the XMP that should say so makes no sense.
        Unreadable: the photo, or a sidecar, is no regular file.
        OSError: one of them cannot be read.
    """
    said = _first(_stars_in_sidecar(photo, naming) for naming in config.XMP_NAMES)
    return (_stars_inside(photo) if said is None else said) or None


def _first(said: Iterable[float | None]) -> float | None:
    """The first stars that sidecars hold; else 0 where one says "not rated"."""
    found = None
    for one in said:
        if one:
            return one
        found = one if found is None else found
    return found


def _stars_inside(photo: Path) -> float | None:
    with reading.opened(photo) as file:
        packet = stars.find_packet(file)
    return None if packet is None else stars.parse(packet) or None


class Sidecars:
    """Where sidecars lie, each folder listed once: photos without one cost no look at the disk."""

    def __init__(self) -> None:
        self._names = lru_cache(_MOST_FOLDERS)(_sidecars_in)

    def find(self, files: Sequence[Path], *, inside: float | None) -> float | None:
        """A person's stars, those in sidecars first; what cannot be read holds none.

        Args:
            files: a photo and, where it has one, its companion.
            inside: the stars inside the photo.
        """
        said = [_first(self._in_sidecars(photo)) for photo in files]
        if found := _first(said):
            return found
        if inside is not None and said[0] is None:
            return inside
        for companion, word in zip(files[1:], said[1:], strict=True):
            if word is None and companion.suffix.lower() == _DNG:
                with suppress(BadSidecar, Unreadable, OSError):
                    return _stars_inside(companion)
        return None

    def _in_sidecars(self, photo: Path) -> Iterator[float | None]:
        there = self._names(photo.parent)
        for naming in config.XMP_NAMES if there else ():
            if _name(photo, naming).lower() in there:
                with suppress(BadSidecar, Unreadable, OSError):
                    yield _stars_in_sidecar(photo, naming)


def _sidecars_in(folder: Path) -> frozenset[str]:
    """Names of photos, or stems, that have a sidecar in a folder, in lower case."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names, not paths: a folder may hold 100,000
    except (OSError, ValueError):
        return frozenset()
    return frozenset(
        name[: -len(_SUFFIX)].lower() for name in names if name.lower().endswith(_SUFFIX)
    )


def _stars_in_sidecar(photo: Path, naming: str) -> float | None:
    """A person's stars in one sidecar; a.jpg.xmp is that of a.jpg, not of a.jpg.jpg beside it."""
    if naming == "stem" and _has_namesake(photo):
        return None
    packet = read(find_sidecar(photo, naming))
    return None if packet is None else stars.parse(packet)


def _has_namesake(photo: Path) -> bool:
    namesake = photo.with_name(photo.stem)
    return namesake != photo and reading.exists(namesake) and namesake.is_file()


def rate(
    rows: Iterable[Row], *, naming: str, thresholds: Sequence[float], is_dry_run: bool = False
) -> Iterator[Outcome]:
    """Write the ratings of scored photos into their sidecars, and into those of companions.

    Where several photos share a sidecar (IMG.JPG and IMG.RAF with naming "stem", or a link), the
    best of their scores counts: they are one picture, and the better rendition shows its quality.

    Args:
        rows: of a report; those without a score are passed over.
        naming: see `find_sidecar`.
        thresholds: see `count_stars`.
        is_dry_run: look at everything and write nothing.

    Yields:
        One outcome per sidecar, in the order of the rows; trouble with one never stops the rest.
    """
    shared: dict[str, list[Row]] = {}
    for row in rows:
        if row.score is not None:
            own: dict[str, Path] = {}  # of a pair whose sidecars coincide, the photo's
            for path in row.files:
                own.setdefault(os.path.realpath(find_sidecar(path, naming)), path)
            for sidecar, path in own.items():
                other = next((one for one in row.files if one != path), None)
                shared.setdefault(sidecar, []).append(replace(row, path=path, companion=other))
    if not is_dry_run:
        _sweep(shared)
    for together in shared.values():
        score = max(printed(row.score or 0.0) for row in together)
        yield _write(
            find_sidecar(together[0].path, naming),
            tuple(row.path for row in together),
            xmp.Mark(count_stars(score, thresholds), score),
            kin=tuple(path for row in together for path in row.files),
            is_dry_run=is_dry_run,
        )


def give(
    given: Mapping[Path, int],
    *,
    naming: str,
    record: Record | None = None,
    is_dry_run: bool = False,
) -> Iterator[Outcome]:
    """Write a person's stars into every sidecar that rates the photo; else into the one by naming.

    So no sidecar contradicts another. Where photos share one, the most stars count.

    Args:
        given: photos and their stars, 0 to 5, or -1 for rejected. 0 changes nothing where there
            is no rating to clear, neither in a sidecar nor inside the photo.
        naming: see `find_sidecar`.
        record: called before each change.
        is_dry_run: look at everything and write nothing.

    Yields:
        One outcome per sidecar, in the order of the photos; trouble with one never stops the rest.
    """
    shared: dict[str, list[Path]] = {}
    for photo in given:
        for sidecar in dict.fromkeys(map(os.path.realpath, _sidecars_that_rate(photo, naming))):
            shared.setdefault(sidecar, []).append(photo)
    if not is_dry_run:
        _sweep(shared)
    for real, photos in shared.items():
        names = (find_sidecar(photos[0], one) for one in config.XMP_NAMES)
        yield _write(
            next(name for name in names if os.path.realpath(name) == real),
            tuple(photos),
            xmp.Mark(max(given[photo] for photo in photos)),
            record=record,
            is_dry_run=is_dry_run,
        )


def _sweep(sidecars: Iterable[str]) -> None:
    """Remove what a killed run left half written beside sidecars."""
    for folder in {Path(sidecar).parent for sidecar in sidecars}:
        writing.sweep(folder)


def _sidecars_that_rate(photo: Path, naming: str) -> list[Path]:
    """The sidecars with a rating, or that cannot be read, which is to be said; else the usual."""
    found = []
    for one in config.XMP_NAMES:
        sidecar = find_sidecar(photo, one)
        try:
            data = None if one == "stem" and _has_namesake(photo) else read(sidecar)
            if data is not None and (xmp.is_rated(data) or stars.parse(data)):
                found.append(sidecar)
        except (BadSidecar, Unreadable, OSError):
            found.append(sidecar)
    return found or [find_sidecar(photo, naming)]


def _is_needless(mark: xmp.Mark, before: bytes | None, photos: Iterable[Path]) -> bool:
    """Whether there is nothing to clear: neither the sidecar nor the photos hold stars."""
    if mark != xmp.Mark(0) or (before is not None and xmp.is_rated(before)):
        return False
    with suppress(BadSidecar, Unreadable, OSError):
        return all(find_stars(photo) is None for photo in photos)
    return True


def _write(
    sidecar: Path,
    photos: tuple[Path, ...],
    mark: xmp.Mark,
    *,
    kin: Sequence[Path] = (),
    record: Record | None = None,
    is_dry_run: bool,
) -> Outcome:
    result, reason, is_new = WRITTEN, None, False
    try:
        _check_name(sidecar, photos)
        elsewhere = None if mark.score is None else _rated_elsewhere(sidecar, kin)
        if elsewhere is not None:
            return Outcome(sidecar=sidecar, photos=photos, mark=mark, result=KEPT, reason=elsewhere)
        before = read(sidecar)
        is_new = before is None
        after = xmp.new(mark) if before is None else xmp.merge(before, mark)
        if after is None:
            result = KEPT
        elif after == before or _is_needless(mark, before, photos):
            result = UNCHANGED
        else:
            _check_opinion(after, mark)
            if not is_dry_run:
                if record is not None:
                    record(sidecar, before, after)
                replace_by(sidecar, before, after)
    except FileExistsError:
        result, reason = FAILED, "another program made it meanwhile; run again"
    except OSError as error:
        result, reason = FAILED, why(error)
    except Unreadable as problem:
        result, reason = FAILED, problem.reason
    except (BadSidecar, CannotWrite) as error:
        result, reason = FAILED, str(error)
    return Outcome(
        sidecar=sidecar, photos=photos, mark=mark, result=result, is_new=is_new, reason=reason
    )


def _check_opinion(data: bytes, mark: xmp.Mark) -> None:
    """See that a person's stars are what everybody will read, whatever else is in the sidecar."""
    if mark.score is None and (stars.parse(data) or 0.0) != mark.stars:
        raise BadSidecar(
            "a rating of Microsoft's or a pick label of digiKam's says otherwise; change it there"
        )


def _check_name(sidecar: Path, photos: Iterable[Path]) -> None:
    """Refuse a.jpg.xmp as the name.xmp of a.jpg.jpg: it is the name.ext.xmp of the a.jpg beside."""
    for photo in photos:
        if sidecar.stem == photo.stem and _has_namesake(photo):
            raise BadSidecar(f"it would be taken for the sidecar of {photo.stem}: use --names full")


def _rated_elsewhere(sidecar: Path, kin: Iterable[Path]) -> str | None:
    """The name of another file with a person's stars, which ours in this sidecar would hide.

    Args:
        sidecar: for our stars.
        kin: the photos it belongs to, and their companions: other sidecars of theirs count, and
            what is inside them; nothing counts that makes no sense there.
    """
    for photo in kin:
        for naming in config.XMP_NAMES:
            other = find_sidecar(photo, naming)
            if other.name != sidecar.name and _stars_in_sidecar(photo, naming):
                return other.name
        with suppress(BadSidecar, Unreadable, OSError):
            if _stars_inside(photo) is not None:
                return photo.name
    return None


def read(sidecar: Path) -> bytes | None:
    """A sidecar's bytes, not many more than may be edited; None where there is no file.

    Raises:
        BadSidecar: a link leads out of its folder.
        Unreadable: it is no regular file.
        OSError: it cannot be read.
    """
    home = os.path.realpath(sidecar.parent)
    if not Path(os.path.realpath(sidecar)).is_relative_to(home):
        raise BadSidecar("a link out of its folder, which is not followed")
    try:
        with reading.opened(sidecar, may_be_empty=True) as file:
            size = os.fstat(file.fileno()).st_size  # a buffer of `LIMIT` takes longer than the rest
            return file.read(min(size, stars.LIMIT) + 1)
    except FileNotFoundError:
        return None


def replace_by(sidecar: Path, before: bytes | None, after: bytes) -> None:
    """Put new bytes into a sidecar, if it is still as it was read.

    Raises:
        BadSidecar: another program changed it meanwhile, or a link leads out of its folder.
        FileExistsError: another program made it meanwhile.
        CannotWrite: see `writing.replacing`.
        OSError: see `writing.creating`.
    """
    if before is None and not sidecar.is_symlink():
        with writing.creating(sidecar) as file:
            file.write(after)
        return
    if read(sidecar) != before:
        raise BadSidecar("another program changed it meanwhile; run again")
    with writing.replacing(sidecar) as file:
        file.write(after)
