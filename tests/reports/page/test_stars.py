"""Stars given in the gallery: shown, remembered, filtered by, and what `rate` makes of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from contrique_cli.collection import picks
from contrique_cli.collection.ratings import find_stars
from tests.browser import CHROMIUM
from tests.pages import (
    FOCUSED,
    HOSTILE,
    LARGE,
    LARGE_PATH,
    SHOWN,
    STARS,
    open_fresh,
    picked_in,
    ranked,
    show,
    stars_in,
    write,
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, which is not installed")


def test_keys_give_stars_which_the_tile_shows_and_the_list_holds(six):
    six.press("ArrowRight")
    for key in ("5", "3", "x", "2"):
        six.press(key)
        six.press("ArrowRight")
    six.press("ArrowLeft")
    six.press("0")
    assert six.run(STARS) == ["★★★★★", "★★★", "✕", "", "", ""]
    assert six.run("document.querySelector('#rated').textContent") == "4 rated"
    words = "[...document.querySelectorAll('.photo')].map(e => e.ariaLabel).slice(0, 3)"
    assert six.run(words) == [
        "a.jpg, score 95.0, 5 stars, blur",
        "b.jpg, score 85.0, 3 stars, blur",
        "c.jpg, score 75.0, rejected",
    ]
    found = stars_in(six)
    assert found.pop("photos") == [
        {"path": "x/a.jpg", "rating": 5},
        {"path": "x/b.jpg", "rating": 3},
        {"path": "x/c.jpg", "rating": -1},
        {"path": "y/d.jpg", "rating": 0},
    ]
    assert found == {"format": picks.FORMAT, "version": 1, "folder": found["folder"]}
    assert six.run("document.querySelector('#toast').textContent").startswith("4 photos in picks")
    assert six.complaints == []


def test_the_list_is_what_rate_reads(browser, tmp_path, monkeypatch, contrique):
    monkeypatch.chdir(tmp_path)
    rows = ranked([*HOSTILE, "sub/a.jpg"])
    rows[-1] = replace(rows[-1], companion=Path("sub/a.dng"))
    open_fresh(browser, write(tmp_path, rows))
    (tmp_path / "sub" / "a.dng").write_bytes(b"II*\0")
    browser.press("ArrowRight")
    for number in range(len(rows)):
        browser.press("x" if number == 0 else str(number % 5 + 1))
        browser.press("ArrowRight")
    data = picked_in(browser, "#download-stars", "picks.json")
    assert data.isascii()
    assert not set(b"<>&\0\x1b\x7f") & set(data)
    found = picks.parse(data, "picks.json")
    assert [(row.path, row.rating) for row in found.rows] == [
        (row.path, -1 if number == 0 else number % 5 + 1) for number, row in enumerate(rows)
    ]
    done = contrique("rate", "--from", "-", "--undo-file", "u", stdin=data)
    assert (done.status, f"sidecars: {len(rows) + 1} written" in done.err) == (0, True), done.err
    for number, row in enumerate(rows):
        assert find_stars(row.path) == (-1 if number == 0 else number % 5 + 1)
    assert find_stars(Path("sub/a.dng")) == find_stars(Path("sub/a.jpg"))
    assert contrique("undo", "u").status == 0
    assert not list(tmp_path.rglob("*.xmp"))


def test_stars_are_still_there_when_the_page_is_opened_again(six):
    six.press("ArrowRight")
    six.press("4")
    six.open(six.run("location.href"))
    assert six.run(STARS)[0] == "★★★★"
    six.click("#clear-stars")
    assert six.run(STARS)[0] == ""
    assert six.run("document.querySelector('#tray').hidden")
    six.click("#toast button")
    assert six.run(STARS)[0] == "★★★★"


def test_what_else_is_in_the_browsers_memory_is_no_star(six):
    place = "'contrique:stars:' + location.pathname"
    photo = "JSON.parse(document.querySelector('#data').textContent).photos[0].id"
    for value in ("'{'", "'[1, 2]'", "'7'", f"JSON.stringify({{[{photo}]: 9, __proto__: 1}})"):
        six.run(f"localStorage.setItem({place}, {value})")
        six.open(six.run("location.href"))
        assert six.run(STARS) == [""] * 6
    assert six.complaints == []


def test_stars_filter_and_sort(six):
    six.press("ArrowRight")
    for key in ("1", "4", "x"):
        six.press(key)
        six.press("ArrowRight")
    for choice, expected in {
        "rated": "abc",
        "unrated": "def",
        "rejected": "c",
        "kept": "abdef",
        "2": "b",
        "all": "abcdef",
    }.items():
        six.slide("#stars", choice)
        six.until(f"{SHOWN}.map(n => n[0]).join('') === {expected!r}")
    six.slide("#sort", "stars")
    six.until(f"{SHOWN}.map(n => n[0]).join('') === 'badefc'")


def test_rating_what_is_not_rated_leads_to_the_next(six):
    six.slide("#stars", "unrated")
    show(six, "6 photos")
    six.press("ArrowRight")
    six.press("3")
    show(six, "5 of 6 photos")
    assert six.run(FOCUSED) == "b.jpg"
    six.press("x")
    assert six.run(SHOWN)[0] == "c.jpg"


def test_the_large_view_gives_stars_by_keys_and_by_mouse(six):
    six.click(".photo")
    six.press("2")
    six.click("#large-stars button", at=4)
    pressed = "document.querySelector('#large-stars [aria-pressed=true]')?.title ?? ''"
    assert six.run(pressed) == "4 stars"
    six.click("#large-stars button", at=4)  # again: none
    assert six.run(pressed) == ""
    six.press("ArrowRight")
    six.click("#large-stars button", at=0)
    assert six.run(pressed) == "Reject"
    six.press("Escape")
    six.until(f"!{LARGE}")
    assert six.run(STARS)[:2] == ["", "✕"]


def test_a_report_with_a_persons_stars_shows_them_until_others_are_given(
    browser, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    rows = ranked(["a.jpg", "b.jpg"])
    rows[0] = replace(rows[0], rating=4.0)
    open_fresh(browser, write(tmp_path, rows))
    assert browser.run(STARS) == ["★★★★", ""]
    assert browser.run("document.querySelector('#tray').hidden")
    browser.press("ArrowRight")
    browser.press("0")
    assert browser.run(STARS) == ["", ""]
    assert stars_in(browser)["photos"] == [{"path": "a.jpg", "rating": 0}]


def test_pairs_and_damage_are_said(browser, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = ranked(["a.jpg", "b.jpg"])
    rows[0] = replace(rows[0], companion=Path("a.RAF"), note="damaged: the last 40 % are missing")
    open_fresh(browser, write(tmp_path, rows))
    badges = "[...document.querySelectorAll('.badges span')].map(e => [e.textContent, e.title])"
    assert browser.run(badges) == [
        ["+ RAF", "a.RAF"],
        ["damaged", "damaged: the last 40 % are missing"],
    ]
    browser.click(".photo")
    assert browser.run(LARGE_PATH) == "a.jpg + RAF"
    note = "document.querySelector('#large-note').textContent"
    assert browser.run(note) == "damaged: the last 40 % are missing"
    browser.press("Escape")
