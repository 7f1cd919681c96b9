"""Where chosen photos go: a safe name in one folder for each, sidecars along, nothing replaced."""

from __future__ import annotations

import itertools
import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from contrique_cli.collection import transfer

COPY, MOVE, SYMLINK = "copy", "move", "symlink"
"""What can be done with a file."""

SIDECARS = (".xmp", ".XMP", ".aae", ".AAE", ".pp3", ".PP3", ".dop", ".DOP")
"""Suffixes of what programs write beside photos, edits and ratings."""

FILMS = (".mov", ".MOV")
"""Suffixes of the film of a Live Photo."""

_LIVE = frozenset([".heic", ".jpg", ".jpeg"])  # what a Live Photo's film lies beside
_Member = tuple[Path, str, bool]  # source, operation, is a photo


@dataclass(frozen=True, kw_only=True)
class Placement:
    """One file and where it goes.

    Attributes:
        source, target: from, to.
        operation: one of the three words above.
        is_photo: False for a sidecar that goes along.
        is_there: whether the target holds it already, so that nothing is to be done.
    """

    source: Path
    target: Path
    operation: str
    is_photo: bool = True
    is_there: bool = False


@dataclass(frozen=True)
class _Unit:
    """Files that go together: their names share a stem, and keep sharing it."""

    stem: str
    members: tuple[_Member, ...]


def plan(
    photos: Sequence[Path],
    folder: Path,
    *,
    operation: str,
    root: Path,
    has_sidecars: bool = False,
    companions: Mapping[Path, Path] | None = None,
) -> list[Placement]:
    """Choose a place in `folder` for every photo.

    A name that is taken, in this plan or on the disk, gets -2, -3 ... before its suffix. Names
    count as equal when they differ in case only, or in the way Unicode spells an accent: on many
    file systems they are. What was copied or linked there before is found again.

    Args:
        photos: regular files, each once.
        folder: where to; it need not exist yet.
        operation: "copy", "move" or "symlink".
        root: see `transfer.link`.
        has_sidecars: take name.ext.xmp and name.xmp along, those of the other suffixes, and the
            film of a Live Photo. Photos of one folder and stem then share one new stem. A name.xmp
            that a photo left behind shares is copied, not moved.
        companions: files that go where some of the photos go, under the same new stem.

    Returns:
        One placement per file, photos before companions and sidecars, in the order of the photos.
    """
    beside = companions or {}
    names = _Names(folder, operation, root, by_stem=has_sidecars or bool(beside))
    home = os.path.realpath(folder)
    placements = []
    units = (
        _units(photos, beside, operation, has_sidecars=has_sidecars)
        if names.by_stem
        else _single(photos, operation)
    )
    for unit in units:
        if os.path.realpath(unit.members[0][0].parent) == home:
            placements += [
                Placement(source=path, target=path, operation=kind, is_photo=photo, is_there=True)
                for path, kind, photo in unit.members
            ]
        else:
            placements += names.give(unit)
    return placements


def _single(photos: Iterable[Path], operation: str) -> Iterator[_Unit]:
    return (_Unit(path.stem, ((path, operation, True),)) for path in photos)


def _units(
    photos: Iterable[Path], companions: Mapping[Path, Path], operation: str, *, has_sidecars: bool
) -> Iterator[_Unit]:
    together: dict[tuple[Path, str], list[Path]] = {}
    for path in photos:
        together.setdefault((path.parent, path.stem), []).append(path)
        companion = companions.get(path)
        if companion is not None:
            own = path if _shares_stem(path, companion) else companion
            together.setdefault((own.parent, own.stem), []).append(companion)
    listings = {folder: _Listing(folder) for folder, _ in together}
    for (folder, stem), chosen in together.items():
        listing = listings[folder]
        films = _existing(folder, stem, FILMS, operation) if _LIVE & _suffixes(chosen) else []
        names = {path.name for path in [*chosen, *(film for film, _, _ in films)]}
        is_left = bool(set(listing.by_stem.get(stem, [])) - names)
        rounds = _apart([(path, operation, True) for path in chosen])
        for number, together_now in enumerate(rounds, start=1):
            members = list(together_now)
            is_shared = is_left or number < len(rounds)
            kind = COPY if is_shared and operation == MOVE else operation
            if has_sidecars:
                members += _sidecars(
                    [path for path, _, _ in together_now], listing, operation, kind
                )
                members += [(film, kind, False) for film, _, _ in films]
            for part in _apart(list(dict.fromkeys(members))):
                yield _Unit(stem, tuple(part))


def _apart(members: list[_Member]) -> list[list[_Member]]:
    """Files whose names differ, case and accents apart, in each list; the first holds most."""
    parts: list[tuple[set[str], list[_Member]]] = []
    for member in members:
        name = _fold(member[0].name)
        free = next((part for part in parts if name not in part[0]), None)
        if free is None:
            free = (set(), [])
            parts.append(free)
        free[0].add(name)
        free[1].append(member)
    return [part for _, part in parts]


def _shares_stem(path: Path, other: Path) -> bool:
    """Whether two files of a folder have one stem, case and accents apart, of one length."""
    stems = path.stem, other.stem
    is_one = _fold(stems[0]) == _fold(stems[1]) and len(stems[0]) == len(stems[1])
    return is_one and path.parent == other.parent


def _suffixes(paths: Iterable[Path]) -> set[str]:
    return {path.suffix.lower() for path in paths}


def _sidecars(
    photos: Sequence[Path], listing: _Listing, operation: str, shared: str
) -> list[_Member]:
    """Sidecars of photos that go together; those called by the stem are `shared`."""
    folder = photos[0].parent
    members = []
    for path in photos:
        members += _existing(folder, path.name, SIDECARS, operation)
    for stem in dict.fromkeys(path.stem for path in photos):
        if not listing.has_file(stem):  # or name.xmp is that file's name.ext.xmp
            members += _existing(folder, stem, SIDECARS, shared)
    return members


class _Listing:
    """The names in a folder, sidecars left out.

    Attributes:
        by_stem: those of each stem.
    """

    def __init__(self, folder: Path) -> None:
        self.by_stem: dict[str, list[str]] = {}
        self._paths: dict[str, Path] = {}
        for name in _names_in(folder):
            if not name.endswith(SIDECARS):
                self.by_stem.setdefault(Path(name).stem, []).append(name)
                self._paths[_fold(name)] = folder / name

    def has_file(self, name: str) -> bool:
        """Whether a file is called so, by whatever case of letters."""
        path = self._paths.get(_fold(name))
        return path is not None and path.is_file()


def _existing(folder: Path, name: str, suffixes: Sequence[str], operation: str) -> list[_Member]:
    found: list[Path] = []
    for path in (folder / f"{name}{suffix}" for suffix in suffixes):
        # The second of two cases is the first again where case does not matter.
        is_second = bool(found) and _fold(found[-1].name) == _fold(path.name)
        if path.is_file() and not (is_second and found[-1].samefile(path)):
            found.append(path)
    return [(path, operation, False) for path in found]


def _names_in(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:  # it does not exist yet; or each file will say for itself what is wrong
        return []


class _Names:
    """The names of a folder, those on the disk and those given away."""

    def __init__(self, folder: Path, operation: str, root: Path, *, by_stem: bool) -> None:
        self.folder = folder
        self.operation = operation
        self.root = root
        self.by_stem = by_stem
        listed = _names_in(folder)
        self.present = {_fold(name) for name in listed}
        self.present_stems = {stem for name in listed for stem in _stems(name)}
        self.given: set[str] = set()
        self.given_stems: set[str] = set()

    def give(self, unit: _Unit) -> list[Placement]:
        """Placements of a unit under the first numbers that are free for all its files."""
        length = len(unit.stem)
        for number in itertools.count(1):
            added = "" if number == 1 else f"-{number}"
            placements = [
                self._place(
                    path, path.name[:length] + added + path.name[length:], kind, is_photo=photo
                )
                for path, kind, photo in unit.members
            ]
            stem = unit.stem + added
            if self._is_free(_fold(stem), placements):
                self.given_stems.add(_fold(stem))
                self.given.update(_fold(one.target.name) for one in placements)
                return placements
        raise AssertionError  # numbers do not end

    def _place(self, source: Path, name: str, operation: str, *, is_photo: bool) -> Placement:
        target = self.folder / name
        is_there = _fold(name) in self.present and self._is_same(source, target)
        return Placement(
            source=source, target=target, operation=operation, is_photo=is_photo, is_there=is_there
        )

    def _is_free(self, stem: str, placements: list[Placement]) -> bool:
        names = {_fold(one.target.name): one for one in placements}
        if len(names) < len(placements) or names.keys() & self.given:
            return False
        if any(name in self.present and not one.is_there for name, one in names.items()):
            return False
        if not self.by_stem:
            return True
        is_ours = any(one.is_there for one in placements)
        return stem not in self.given_stems and (is_ours or stem not in self.present_stems)

    def _is_same(self, source: Path, target: Path) -> bool:
        if self.operation == COPY:
            return not target.is_symlink() and transfer.is_same_content(source, target)
        if self.operation == SYMLINK:
            return target.is_symlink() and target.exists() and target.samefile(source)
        return False  # a move leaves nothing behind, so what stands there is another file


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _stems(name: str) -> set[str]:
    """What a photo and its sidecars in a folder may be called together."""
    stem = Path(name).stem
    return {_fold(stem), _fold(Path(stem).stem)} if name.endswith(SIDECARS) else {_fold(stem)}
