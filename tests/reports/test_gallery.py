"""The gallery's page: whole, closed to the network, harmless whatever the photos are called."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from contrique_cli.reports import gallery
from contrique_cli.reports.rows import Row

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"'`&amp;<!--",
    "<!--<script>",
    "\u202egpj.exe",
    "line\nbreak\u2028and\u2029more",
    b"\xff\xfe".decode("utf-8", "surrogateescape"),
    "@@SCRIPT@@",
    "=cmd",
    "-rf",
    "javascript:alert(1)",
]


def page(rows: list[Row], folder: Path = Path()) -> str:
    file = io.BytesIO()
    thumbnails = [b"thumb %d" % index for index, row in enumerate(rows) if row.score is not None]
    gallery.write(file, rows, thumbnails, folder=folder)
    return file.getvalue().decode("utf-8")


def data(text: str) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL).group(1))


def scored(*names: str) -> list[Row]:
    return [
        Row(path=Path(name), rank=index, score=90.0 - index, width=4, height=3)
        for index, name in enumerate(names, start=1)
    ]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_data_and_nothing_else(name):
    rows = [*scored(name), Row(path=Path(name + "2"), error=name)]
    text = page(rows)
    plain = page([*scored("x"), Row(path=Path("x"), error="x")])
    assert len(re.findall("<", text)) == len(re.findall("<", plain))
    assert data(text)["photos"][0]["path"] == name
    assert data(text)["failed"] == [{"path": name + "2", "error": name}]


def test_the_data_is_plain_ascii_so_that_no_character_can_end_or_turn_a_line():
    block = re.search(r'id="data">(.*?)</script>', page(scored(*HOSTILE)), re.DOTALL).group(1)
    assert block.isascii()
    assert not set("<>&\n") & set(block)


def test_the_policy_lets_only_the_pages_own_script_and_style_run():
    text = page(scored("a.jpg"))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text).group(1)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data: file:"
    for tag in ("script", "style"):
        inner = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL).group(1)
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert rules[f"{tag}-src"] == f"'sha256-{digest}'"


def test_the_page_refers_to_nothing_outside_of_it():
    text = page(scored("a.jpg"))
    assert not re.search(r"(?:src|href)=\"(?!data:,|#)", text)
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|WebSocket|import\(|eval\(", text)
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]  # a name only


def test_markup_is_never_made_from_text():
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", page(scored("a.jpg"))
    )


def test_every_photo_has_its_facts_and_those_without_a_score_their_reason():
    best = Row(
        path=Path("photos/é.jpg"),
        rank=1,
        score=81.237,
        width=40,
        height=30,
        flaw="blur",
        flaw_probability=0.75,
        flaws=(("blur", 0.75), ("noise", 0.1234)),
        burst=3,
        is_burst_best=True,
        burst_kind="bracket",
        companion=Path("photos/é.raf"),
        note="damaged: half",
    )
    found = data(
        page([best, *scored("b.jpg"), Row(path=Path("bad.jpg"), error="the file is empty")])
    )
    photo = found["photos"][0]
    assert {name: photo[name] for name in ("path", "score", "flaw", "probability")} == {
        "path": "photos/é.jpg",
        "score": 81.24,
        "flaw": "blur",
        "probability": 0.75,
    }
    assert (photo["burst"], photo["best"], photo["width"]) == (3, True, 40)
    assert (photo["kind"], photo["companion"], photo["note"]) == (
        *("bracket", "photos/é.raf"),
        "damaged: half",
    )
    assert (found["flaws"], photo["chances"]) == (["blur", "noise"], [750, 123])
    facts = {"burst", "chances", "kind", "companion", "note", "rating"}
    assert not facts & found["photos"][1].keys()
    assert found["folder"] == str(Path.cwd())
    assert found["failed"] == [{"path": "bad.jpg", "error": "the file is empty"}]


def test_a_flaw_that_a_photo_says_nothing_of_leaves_its_place():
    rows = [
        replace(row, flaws=flaws)
        for row, flaws in zip(
            scored("a", "b", "c"), [(("blur", 0.5),), (("noise", 1.0),), ()], strict=True
        )
    ]
    found = data(page(rows))
    assert found["flaws"] == ["blur", "noise"]
    assert [photo.get("chances") for photo in found["photos"]] == [[500, None], [None, 1000], None]


@pytest.mark.parametrize(
    ("rating", "shown"),
    [(4.0, 4), (3.5, 3.5), (-1.0, -1), (None, None), (1e300, None), (-2.0, None)],
)
def test_a_persons_stars_are_shown_where_they_are_any(rating, shown):
    found = data(page([replace(scored("a")[0], rating=rating)]))
    assert found["photos"][0].get("rating") == shown


def test_thumbnails_lie_in_blocks_in_the_order_of_the_photos():
    count = gallery.BLOCK + 1
    text = page(scored(*(f"{number}.jpg" for number in range(count))))
    blocks = re.findall(r'id="thumbnails-(\d+)">(.*?)</script>', text, re.DOTALL)
    assert [number for number, _ in blocks] == ["0", "1"]
    lines = [block.split("\n") for _, block in blocks]
    assert [len(block) for block in lines] == [gallery.BLOCK + 1, 2]
    assert {block[-1] for block in lines} == {gallery.END_OF_BLOCK}
    assert base64.b64decode(lines[1][0]) == b"thumb %d" % gallery.BLOCK


def test_a_thumbnail_that_could_not_be_made_leaves_its_line_empty():
    file = io.BytesIO()
    gallery.write(file, scored("a", "b"), [None, b"b"], folder=Path())
    assert b'id="thumbnails-0">\nYg==\n.</script>' in file.getvalue()


@pytest.mark.parametrize("count", [1, 3])
def test_a_wrong_number_of_thumbnails_is_noticed(count):
    with pytest.raises(ValueError, match=f"{count} thumbnails for 2 photos"):
        gallery.write(io.BytesIO(), scored("a", "b"), [b""] * count, folder=Path())


def test_an_empty_gallery_is_a_page_too():
    assert data(page([]))["photos"] == []


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/out/b/c.jpg", "./b/c.jpg"),
        ("/a/c d#?%.jpg", "./../c%20d%23%3F%25.jpg"),
        ("/a/out/javascript:x", "./javascript%3Ax"),
        ("/a/out/é", "./%C3%A9"),
        (os.fsdecode(b"/a/out/\xff"), "./%FF"),
        ('/a/out/"><', "./%22%3E%3C"),
    ],
)
def test_a_link_leads_from_the_page_to_the_file(path, expected):
    assert gallery.link(Path(path), Path("/a/out")) == expected


def test_the_same_photo_keeps_its_id_and_another_of_that_name_has_its_own(tmp_path, monkeypatch):
    ids = []
    for folder in ("one", "two", "one"):
        (tmp_path / folder).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / folder)
        ids.append(data(page(scored("a.jpg")))["photos"][0]["id"])
    assert ids[0] == ids[2] != ids[1]


@pytest.mark.parametrize(("photos", "size"), [(0, 480), (1000, 480), (1001, 320), (5000, 256)])
def test_large_galleries_have_smaller_thumbnails(photos, size):
    assert gallery.size_for(photos) == size
