"""XMP text: ratings found in every form, and nothing else touched by an edit."""

from __future__ import annotations

import codecs
import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest

from contrique_cli.collection import xmp
from contrique_cli.collection.xmp import Mark
from contrique_cli.errors import BadSidecar
from contrique_cli.photos.stars import parse as parse_stars
from tests.sidecars import BY_PROGRAM, DARKTABLE, DIGIKAM, EMPTY, EXIFTOOL, RDF, XMP, rated

ENCODINGS = {
    "utf-8": lambda text: text.encode(),
    "utf-8 with a mark": lambda text: codecs.BOM_UTF8 + text.encode(),
    "crlf": lambda text: text.replace("\n", "\r\n").encode(),
    "utf-16": lambda text: text.replace("UTF-8", "UTF-16").encode("utf-16"),
    "utf-16-be": lambda text: ("\ufeff" + text.replace("UTF-8", "UTF-16")).encode("utf-16-be"),
    "utf-16 without a mark": lambda text: text.replace("UTF-8", "UTF-16").encode("utf-16-le"),
}
OURS = f'xmlns:c="{xmp.OURS}" c:GivenRating="%s" c:Score="50.00"'


def properties(data: bytes) -> dict[str, str]:
    """What any XML reader finds of ours and of xmp:Rating, in both forms."""
    found: dict[str, str] = {}
    root = ET.fromstring(data)  # noqa: S314 - our own text
    for block in root.iter(f"{{{RDF}}}Description"):
        found |= block.attrib
        found |= {child.tag: child.text or "" for child in block}
    wanted = {xmp.RATING: "rating", xmp.GIVEN: "given", xmp.SCORE: "score"}
    return {
        short: found[f"{{{space}}}{name}"]
        for (space, name), short in wanted.items()
        if f"{{{space}}}{name}" in found
    }


def written(stars: int, score: str) -> dict[str, str]:
    return {"rating": str(stars), "given": str(stars), "score": score}


def test_a_new_sidecar_holds_the_rating_the_mark_that_it_is_ours_and_the_score():
    assert properties(xmp.new(Mark(4, 88.5))) == written(4, "88.50")


@pytest.mark.parametrize("text", BY_PROGRAM.values(), ids=BY_PROGRAM)
@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
def test_an_insertion_keeps_every_other_byte(text, encode):
    before = encode(text)
    after = xmp.merge(before, Mark(3, 61.0))
    kept = EMPTY not in text and "RDF xmlns=" not in text
    if kept:  # one run of bytes was put in
        start = next(i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b)
        rest = len(before) - start
        assert after[:start] + after[len(after) - rest :] == before
    assert properties(after) == written(3, "61.00")
    assert xmp.merge(after, Mark(3, 61.0)) == after


@pytest.mark.parametrize("text", BY_PROGRAM.values(), ids=BY_PROGRAM)
@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
def test_an_update_changes_our_values_and_no_other_byte(text, encode):
    first = xmp.merge(encode(text), Mark(3, 61.25))
    second = xmp.merge(first, Mark(5, 99.25))
    assert properties(second) == written(5, "99.25")
    assert xmp.merge(second, Mark(3, 61.25)) == first


def test_the_line_added_has_the_indent_and_line_ends_of_its_neighbours():
    lines = xmp.merge(DIGIKAM.replace("\n", "\r\n").encode(), Mark(3, 61.0)).split(b"\r\n")
    assert [line[:18] for line in lines if b"escription" in line][-1] == b"  <rdf:Description"
    assert not [line for line in lines if b"\n" in line]


def test_all_blocks_share_what_they_are_about():
    assert xmp.merge(EXIFTOOL.encode(), Mark(1, 30.0)).count(b"rdf:about='uuid:1'") == 3


@pytest.mark.parametrize("number", ["0", "3", "5", "-1", "4.5", " 2 "])
def test_a_rating_that_we_did_not_write_stays_as_it_is(number):
    assert xmp.merge(rated(f"<xmp:Rating>{number}</xmp:Rating>").encode(), Mark(1, 30.0)) is None
    attribute = DARKTABLE.replace("exif:Date", f'xmlns:q="{XMP}" q:Rating="{number}" exif:Date')
    assert xmp.merge(attribute.encode(), Mark(1, 30.0)) is None


@pytest.mark.parametrize(
    "form",
    [
        "<xmp:Rating/>",
        "<xmp:Rating></xmp:Rating>",
        "<xmp:Rating>good</xmp:Rating>",
        "<xmp:Rating>&#51;</xmp:Rating>",
        "<xmp:Rating><!-- 3 -->3</xmp:Rating>",
        '<xmp:Rating rdf:parseType="Resource"><rdf:value>3</rdf:value></xmp:Rating>',
        f'<Rating xmlns="{XMP}">3</Rating>',
        "<xmp:Rating>3</xmp:Rating><xmp:Rating>3</xmp:Rating>",
    ],
)
def test_a_rating_in_an_odd_form_is_never_taken_for_ours(form):
    text = rated(f'{form}<c:GivenRating xmlns:c="{xmp.OURS}">2</c:GivenRating>')
    assert xmp.merge(text.encode(), Mark(1, 30.0)) is None


@pytest.mark.parametrize("change", ["5", "0", "-1"])
def test_our_rating_changed_by_a_person_is_theirs(change):
    ours = xmp.merge(DIGIKAM.encode(), Mark(3, 61.0))
    theirs = ours.replace(b'xmp:Rating="3"', f'xmp:Rating="{change}"'.encode())
    assert xmp.merge(theirs, Mark(4, 85.0)) is None


def test_our_rating_taken_away_by_a_person_does_not_come_back():
    ours = xmp.merge(DIGIKAM.encode(), Mark(3, 61.0))
    assert xmp.merge(ours.replace(b' xmp:Rating="3"', b""), Mark(3, 61.0)) is None


def test_our_rating_is_known_again_in_the_element_form_that_other_programs_make_of_it():
    text = rated(
        "<xmp:Rating>2</xmp:Rating>"
        f'<c:GivenRating xmlns:c="{xmp.OURS}">2</c:GivenRating>'
        f'<c:Score xmlns:c="{xmp.OURS}">44.00</c:Score>'
    )
    after = xmp.merge(text.encode(), Mark(4, 80.0))
    assert properties(after) == written(4, "80.00")
    changed = text.replace(">2<", ">4<").replace(">44.00<", ">80.00<")
    assert after == changed.encode()


def test_a_rating_inside_another_structure_is_not_the_photos():
    text = DIGIKAM.replace(
        "<rdf:li>", f'<rdf:li><rdf:Description xmlns:q="{XMP}" q:Rating="5"/>'
    ).replace("<rdf:Seq>", f'<rdf:Seq><q:Rating xmlns:q="{XMP}">5</q:Rating>')
    assert xmp.merge(text.encode(), Mark(2, 40.0)) is not None


BOMB = '<!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;">]>'
DEEP = "<a>" * 100 + "</a>" * 100


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not well-formed XML"),
        (b"\0\0\0", "not well-formed XML"),
        (b"\xff\xd8\xff\xe0 a JPEG", "not valid UTF-8"),
        (b"<x/>", "no XMP"),
        (DIGIKAM.encode()[:-60], "not well-formed XML"),
        (DIGIKAM.encode() + b"\0\0", "not well-formed XML"),
        (DIGIKAM.replace("</digiKam:", "</digi:").encode(), "not well-formed XML"),
        (DIGIKAM.replace("xmlns:digiKam", "xmlns:dig").encode(), "prefix digiKam"),
        (BOMB.encode() + EMPTY.encode(), "a DOCTYPE"),
        (f'<!DOCTYPE x SYSTEM "file:///etc/passwd">{EMPTY}'.encode(), "a DOCTYPE"),
        (EMPTY.replace("<rdf", "&b;<rdf").encode(), "not well-formed XML"),
        (f"<x>{EMPTY}{EMPTY}</x>".encode(), "one rdf:RDF"),
        (EMPTY.replace("<rdf", DEEP + "<rdf").encode(), "nested more than 64 levels"),
        (DARKTABLE.replace("UTF-8", "Latin-1").replace("gz", "ü").encode(), "encoding Latin-1"),
        (EMPTY.encode("utf-32"), "UTF-32"),
        (codecs.BOM_UTF16_LE + b"<", "not valid UTF-16-LE"),
        (EMPTY.encode() + b" " * xmp.LIMIT, "larger than 16 MB"),
    ],
)
def test_what_cannot_be_understood_is_refused(data, reason):
    with pytest.raises(BadSidecar, match=reason):
        xmp.merge(data, Mark(3, 50.0))


@pytest.mark.parametrize("text", BY_PROGRAM.values(), ids=BY_PROGRAM)
def test_a_sidecar_cut_anywhere_is_refused_or_whole(text):
    data = text.rstrip().encode()
    for length in range(0, len(data) - 1, 11):
        try:
            after = xmp.merge(data[:length], Mark(3, 50.0))
        except BadSidecar:
            continue
        assert properties(after) == written(3, "50.00")


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs exiftool")
@pytest.mark.parametrize("form", ["attribute", "element"])
@pytest.mark.parametrize("text", [DARKTABLE, DIGIKAM, EXIFTOOL], ids="darktable digikam et".split())
def test_exiftool_reads_the_rating_after_our_edit_in_both_forms(tmp_path, text, form):
    path = tmp_path / "a.xmp"
    data = xmp.merge(text.encode(), Mark(2, 45.0))
    if form == "element":  # exiftool rewrites the file in its own way
        path.write_bytes(data)
        run = ["exiftool", "-q", "-overwrite_original", "-XMP-dc:Title=t", path]
        subprocess.run(run, check=True)
        data = path.read_bytes()
        assert b"<xmp:Rating>2</xmp:Rating>" in data
    path.write_bytes(xmp.merge(data, Mark(4, 85.5)))
    command = ["exiftool", "-s3", "-warning", "-Rating", "-XMP-contrique:Score", path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["4", "85.50"]


# ------------------------------------------------------------------------- a person's stars


@pytest.mark.parametrize("program", BY_PROGRAM)
@pytest.mark.parametrize("stars", [5, 1, 0, -1])
def test_a_persons_stars_go_into_any_sidecar_and_are_no_score_of_ours(program, stars):
    before = BY_PROGRAM[program].encode()
    after = xmp.merge(before, xmp.Mark(stars))
    assert parse_stars(after) == stars
    assert b"contrique" not in after
    assert xmp.merge(after, xmp.Mark(stars)) == after
    assert xmp.merge(after, xmp.Mark(2, 50.0)) is None  # a person's, so not ours to change


@pytest.mark.parametrize("program", BY_PROGRAM)
def test_stars_of_ours_become_a_persons_also_where_they_are_the_same(program):
    ours = xmp.merge(BY_PROGRAM[program].encode(), xmp.Mark(3, 61.23))
    for stars in (3, 4, 0, -1):
        after = xmp.merge(ours, xmp.Mark(stars))
        assert b"GivenRating" not in after
        assert parse_stars(after) == stars
        assert xmp.merge(after, xmp.Mark(5, 99.0)) is None


@pytest.mark.parametrize(
    "rating",
    [
        f'<xmp:Rating>3</xmp:Rating><c:GivenRating xmlns:c="{xmp.OURS}">3</c:GivenRating>',
        "<xmp:Rating> 3 </xmp:Rating>",
        "<xmp:Rating></xmp:Rating>",
    ],
)
def test_stars_take_the_place_of_an_element(rating):
    after = xmp.merge(rated(rating).encode(), xmp.Mark(4))
    assert after == rated("<xmp:Rating>4</xmp:Rating>").encode()


@pytest.mark.parametrize(
    "text",
    [
        '<xmp:Rating rdf:parseType="Resource"><xmp:x>1</xmp:x></xmp:Rating>',
        "<xmp:Rating/>",
        '<c:GivenRating xmlns:c="urn:contrique:xmp:1/"/><xmp:x/>',
    ],
)
def test_what_cannot_be_followed_is_left_alone(text):
    with pytest.raises(BadSidecar):
        xmp.merge(rated(text).encode(), xmp.Mark(4))


def test_utf_16_stays_what_it_is():
    before = DARKTABLE.replace("UTF-8", "UTF-16").encode("utf-16")
    after = xmp.merge(before, xmp.Mark(4))
    assert after.startswith(before[:2])
    assert 'xmp:Rating="4"' in after.decode("utf-16")
