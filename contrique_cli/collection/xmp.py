"""XMP as text: the rating in a sidecar, found and changed without touching another byte.

On purpose nothing is re-serialised. A sidecar holds other programs' work (develop settings, history
stacks, tags), so the text is only searched, and then edited at the very bytes of our own values.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.parsers import expat

from contrique_cli.errors import BadSidecar
from contrique_cli.photos.stars import (
    DEPTH,
    GIVEN,
    LIMIT,
    NUMBER,
    OURS,
    RATING,
    RDF,
    XMP,
    refuse_doctype,
)

SCORE = (OURS, "Score")
"""The property of the score behind our stars."""

_NEW = """<?xpacket begin="\N{ZERO WIDTH NO-BREAK SPACE}" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="{rdf}">
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""
_ATTRIBUTE = re.compile(rb"""\s+([^\s=]+)\s*=\s*("[^"]*"|'[^']*')""")
_ATTRIBUTE_START = re.compile(rb"""\s+[^\s=]+\s*=\s*["']\Z""")
_LONGEST_NAME = 1000  # bytes of an attribute's name, with the space around it
_TAG_NAME = re.compile(rb"<([^\s/>]+)")
_TAG_END = re.compile(rb"\s*(/?)>")
_DECLARED = re.compile(r"""<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")


class Mark(NamedTuple):
    """What is written into a sidecar.

    Attributes:
        stars: 0 to 5, or -1 for rejected.
        score: 0 to 100, behind the stars; None where a person gave them.
    """

    stars: int
    score: float | None = None


class _Value(NamedTuple):
    """Bytes `start` to `end` of the text; the number there, or None for anything else."""

    start: int
    end: int
    number: float | None


def new(mark: Mark) -> bytes:
    """A sidecar that holds a rating and nothing else, UTF-8."""
    text = _NEW.format(rdf=RDF).encode()
    return _insert(text, _read(text), mark)


def merge(data: bytes, mark: Mark) -> bytes | None:
    """An existing sidecar with our rating in it.

    A rating is ours while `xmp:Rating` equals the `contrique:GivenRating` beside it. Any other one,
    0 and -1 (rejected) included, is a person's, and so is the decision to take ours away.
    A person's mark takes the place of any other, and of ours also what tells it as ours.

    Args:
        data: the file: UTF-8, or UTF-16 with or without a byte order mark.
        mark: what to write.

    Returns:
        The file's new bytes, the same ones where nothing is to change; None where the mark is ours
        and the rating is not ours to change.

    Raises:
        BadSidecar: it is no well-formed XMP, has a DOCTYPE, or an encoding that XMP does not have.
    """
    text, codec, mark_bytes = _decode(data)
    packet = _read(text)
    ratings, given = packet.values[RATING], packet.values[GIVEN]
    if mark.score is None:
        edited = _give(text, packet, mark.stars)
    elif not ratings and not given:
        edited = _insert(text, packet, mark)
    elif len(ratings) == len(given) == 1 and _is_ours(ratings[0], given[0]):
        edited = _update(text, packet, mark)
    else:
        return None
    _check(edited, mark)
    return mark_bytes + edited.decode("utf-8").encode(codec)


def is_rated(data: bytes) -> bool:
    """Whether a sidecar holds a rating, ours or a person's.

    Raises:
        BadSidecar: see `merge`.
    """
    return bool(_read(_decode(data)[0]).values[RATING])


def _is_ours(rating: _Value, given: _Value) -> bool:
    return rating.number is not None and rating.number == given.number


def _insert(text: bytes, packet: _Packet, mark: Mark) -> bytes:
    """Add a block of our own, complete with its namespaces, as the last one."""
    block = (
        b"<rdf:Description"
        + (b"" if packet.name == b"rdf:RDF" else f' xmlns:rdf="{RDF}"'.encode())
        + b" rdf:about="
        + packet.about
        + _properties(mark).encode()
        + b"/>"
    )
    start, end = packet.gap
    if packet.is_closed_at_once:
        return text[:start] + b">" + block + b"</" + packet.name + b">" + text[end:]
    line = text.rfind(b"\n", 0, start) + 1
    indent = text[line:start]
    if line and not indent.strip():  # the end tag begins a line, so ours gets a line above it
        newline = b"\r\n" if text[:line].endswith(b"\r\n") else b"\n"
        block = b" " + block + newline + indent
    return text[:start] + block + text[start:]


def _properties(mark: Mark) -> str:
    if mark.score is None:
        return f' xmlns:xmp="{XMP}" xmp:Rating="{mark.stars}"'
    return (
        f' xmlns:xmp="{XMP}" xmlns:contrique="{OURS}" xmp:Rating="{mark.stars}"'
        f' contrique:GivenRating="{mark.stars}" contrique:Score="{mark.score:.2f}"'
    )


def _give(text: bytes, packet: _Packet, stars: int) -> bytes:
    """Put a person's stars where stars stand, or add them."""
    ratings, given = packet.values[RATING], packet.values[GIVEN]
    edits = [(value.start, value.end, b"%d" % stars) for value in ratings if value.number != stars]
    edits += [(*_extent(text, value), b"") for value in given]
    for start, end, wanted in sorted(edits, reverse=True):
        text = text[:start] + wanted + text[end:]
    return text if ratings else _insert(text, _read(text), Mark(stars))


def _extent(text: bytes, value: _Value) -> tuple[int, int]:
    """Where a property begins and ends, as an attribute with the space before it, or an element."""
    if value.number is None:
        raise BadSidecar("a contrique:GivenRating that is no number")
    if text[value.start - 1 : value.start] == b">":
        return text.rindex(b"<", 0, value.start), text.index(b">", value.end) + 1
    match = _ATTRIBUTE_START.search(text, max(0, value.start - _LONGEST_NAME), value.start)
    if match is None:
        raise BadSidecar("a tag that cannot be followed")
    return match.start(), value.end + 1


def _update(text: bytes, packet: _Packet, mark: Mark) -> bytes:
    """Replace our values where they stand."""
    edits = [(value, str(mark.stars)) for name in (RATING, GIVEN) for value in packet.values[name]]
    scores = [value for value in packet.values[SCORE] if value.number is not None]
    edits += [(value, f"{mark.score:.2f}") for value in scores]
    for value, wanted in sorted(edits, reverse=True):
        if value.number != float(wanted):
            text = text[: value.start] + wanted.encode() + text[value.end :]
    return text


def _check(text: bytes, mark: Mark) -> None:
    """Read the result back: what cannot be read again is never written."""
    values = _read(text).values
    ratings, given = ([value.number for value in values[name]] for name in (RATING, GIVEN))
    if mark.score is None:
        is_right = not given and set(ratings) == {mark.stars}
    else:
        is_right = ratings == given == [mark.stars]
    if not is_right:
        raise BadSidecar("the edited text does not read back as it should")


# ---------------------------------------------------------------------------------- text


def _decode(data: bytes) -> tuple[bytes, str, bytes]:
    """The text as UTF-8, the codec of the file, and its byte order mark."""
    if len(data) > LIMIT:
        raise BadSidecar(f"larger than {LIMIT // 2**20} MB")
    codec, mark = _sniff(data)
    try:
        text = data[len(mark) :].decode(codec)
    except UnicodeDecodeError as error:
        raise BadSidecar(f"not valid {codec.upper()}") from error
    declared = _DECLARED.match(text)
    if declared and not data.isascii():
        name = declared[1].lower()
        if not name.startswith("utf-16" if codec.startswith("utf-16") else "utf-8"):
            raise BadSidecar(f"encoding {declared[1]}, which XMP does not have")
    return text.encode("utf-8"), codec, mark


def _sniff(data: bytes) -> tuple[str, bytes]:
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise BadSidecar("encoding UTF-32, which nothing writes")
    for mark, codec in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if data.startswith(mark):
            return codec, mark
    plain = {b"<\0": "utf-16-le", b"\0<": "utf-16-be"}
    return plain.get(data[:2], "utf-8"), b""


# ---------------------------------------------------------------------------------- reading


@dataclass
class _Packet:
    """What there is to know of a sidecar's text.

    Attributes:
        values: where the three properties stand, by (namespace, name).
        about: value of rdf:about, quotes included, which all blocks must share.
        name: of the rdf:RDF element as written.
        gap: bytes between the last block and the end of rdf:RDF; of `<rdf:RDF/>` its slash on.
        is_closed_at_once: whether rdf:RDF is an empty-element tag.
    """

    values: dict[tuple[str, str], list[_Value]] = field(
        default_factory=lambda: {RATING: [], GIVEN: [], SCORE: []}
    )
    about: bytes = b""
    name: bytes = b""
    gap: tuple[int, int] = (-1, -1)
    is_closed_at_once: bool = False


class _Tag(NamedTuple):
    """A start tag as written: attributes with the bytes between their quotes, and its end."""

    name: bytes
    attributes: list[tuple[bytes, int, int]]
    end: int
    is_closed_at_once: bool


def _read(text: bytes) -> _Packet:
    reader = _Reader(text)
    reader.parser.StartElementHandler = reader.start
    reader.parser.EndElementHandler = reader.end
    reader.parser.StartDoctypeDeclHandler = refuse_doctype
    try:
        reader.parser.Parse(text, True)
    except expat.ExpatError as error:
        raise BadSidecar(f"not well-formed XML ({error})") from error
    if reader.blocks != 1:
        raise BadSidecar("no XMP: it should hold one rdf:RDF")
    packet = reader.packet
    packet.about = packet.about or b'""'
    return packet


class _Reader:
    """Follows the parser through the elements: rdf:RDF, its blocks, and their properties."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.parser = expat.ParserCreate("utf-8")  # whatever the declaration says: see _decode
        self.packet = _Packet()
        self.blocks = 0
        self.scopes: list[dict[bytes, str]] = [{b"xml": "xml", b"": ""}]  # declared, by level
        self.elements: list[tuple[str, str]] = []
        self.root: int | None = None  # index of the open rdf:RDF among the elements
        self.open_property: tuple[tuple[str, str], _Tag] | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        declared = {
            name.removeprefix("xmlns").removeprefix(":").encode(): uri
            for name, uri in attributes.items()
            if name == "xmlns" or name.startswith("xmlns:")
        }
        if len(self.elements) >= DEPTH:
            raise BadSidecar(f"nested more than {DEPTH} levels deep")
        self.scopes.append(declared)
        element = self._resolve(name.encode())
        depth = self._depth()
        self.elements.append(element)
        if depth is None and element == (RDF, "RDF"):
            tag = self._tag(attributes)
            self.blocks += 1
            self.root = len(self.elements) - 1
            self.packet.name, self.packet.is_closed_at_once = tag.name, tag.is_closed_at_once
            self.packet.gap = (self.text.rindex(b"/", 0, tag.end), tag.end)
        elif depth == 1 and element == (RDF, "Description"):
            self._note_attributes(self._tag(attributes))
        elif depth == 2 and element in self.packet.values:  # noqa: PLR2004 - RDF, Description
            tag = self._tag(attributes)
            plain = len(declared) == len(attributes) and not tag.is_closed_at_once
            self.open_property = (element, tag) if plain else None
            if not plain:
                self.packet.values[element].append(_Value(tag.end, tag.end, None))

    def end(self, _name: str) -> None:
        here = self.parser.CurrentByteIndex
        self.elements.pop()
        self.scopes.pop()
        depth = self._depth()
        if depth == 0:
            self.root = None
            if not self.packet.is_closed_at_once:
                self.packet.gap = (here, here)
        elif depth == 2 and self.open_property is not None:  # noqa: PLR2004 - RDF, Description
            name, tag = self.open_property
            self.packet.values[name].append(_value(self.text, tag.end, here))
            self.open_property = None

    def _depth(self) -> int | None:
        """Levels below the outermost rdf:RDF: 1 inside it, 2 inside a block; None outside."""
        return None if self.root is None else len(self.elements) - self.root

    def _tag(self, attributes: dict[str, str]) -> _Tag:
        """The tag that just began, as written."""
        tag = _scan(self.text, self.parser.CurrentByteIndex)
        if len(tag.attributes) != len(attributes):
            raise BadSidecar("a tag that cannot be followed")
        return tag

    def _note_attributes(self, tag: _Tag) -> None:
        for name, start, end in tag.attributes:
            if name.startswith(b"xmlns"):
                continue
            prefix, _, local = name.rpartition(b":")
            full = self._resolve(name) if prefix else ("", local.decode())
            if full in ((RDF, "about"), ("", "about")) and not self.packet.about:
                self.packet.about = self.text[start - 1 : end + 1]
            elif full in self.packet.values:
                self.packet.values[full].append(_value(self.text, start, end))

    def _resolve(self, name: bytes) -> tuple[str, str]:
        """Namespace and local name; a prefix that nothing declares is refused."""
        prefix, _, local = name.rpartition(b":")
        uri = next((scope[prefix] for scope in reversed(self.scopes) if prefix in scope), None)
        if uri is None:
            raise BadSidecar(f"prefix {prefix.decode(errors='replace')} without a namespace")
        return uri, local.decode()


def _value(text: bytes, start: int, end: int) -> _Value:
    raw = text[start:end]
    return _Value(start, end, float(raw) if NUMBER.fullmatch(raw) else None)


def _scan(text: bytes, start: int) -> _Tag:
    """Scan a start tag that the parser found well-formed."""
    match = _TAG_NAME.match(text, start)
    if match is None:
        raise BadSidecar("a tag that cannot be followed")
    name, position, attributes = match[1], match.end(), []
    while attribute := _ATTRIBUTE.match(text, position):
        attributes.append((attribute[1], attribute.start(2) + 1, attribute.end(2) - 1))
        position = attribute.end()
    match = _TAG_END.match(text, position)
    if match is None:
        raise BadSidecar("a tag that cannot be followed")
    return _Tag(name, attributes, match.end(), bool(match[1]))
