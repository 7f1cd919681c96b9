"""The gallery in a real browser: what it shows, what the keys do, what a list of picks holds."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from contrique_cli.reports import gallery, thumbnails
from contrique_cli.reports.rows import Row
from tests.browser import CHROMIUM
from tests.conftest import make_photo
from tests.pages import (
    COUNT,
    FLAWS,
    FOCUSED,
    HOSTILE,
    LARGE,
    LARGE_PATH,
    SHOWN,
    open_fresh,
    picked_in,
    ranked,
    show,
    write,
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, which is not installed")


def test_it_opens_from_disk_without_a_complaint_and_asks_for_nothing_else(six, six_address):
    assert six.run(SHOWN) == ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg", "f.jpg"]
    six.until("[...document.querySelectorAll('.cell img')].every(i => i.naturalWidth === 64)")
    assert six.run("document.querySelectorAll('.cell img').length") == 6
    assert six.complaints == []
    asked = {one for one in six.requests if not one.startswith("data:")}
    assert asked == {six_address}


def test_each_photo_has_its_score_flaw_and_path(six):
    texts = "[...document.querySelectorAll('.caption > div')].map(e => e.textContent).slice(0, 2)"
    assert six.run(texts) == ["95.0blur", "x/a.jpg"]


def test_the_sliders_bound_the_score_with_a_live_count(six):
    six.slide("#low", 50)
    six.slide("#high", 90)
    show(six, "4 of 6 photos")
    assert six.run(SHOWN) == ["b.jpg", "c.jpg", "d.jpg", "e.jpg"]
    assert six.run("document.querySelector('#bounds').textContent.match(/\\d+/g)") == [
        "50",
        "90",
    ]
    six.click("#reset")
    show(six, "6 photos")


def test_the_sliders_cannot_cross(six):
    six.slide("#high", 40)
    six.slide("#low", 60)
    show(six, "0 of 6 photos")
    assert six.run("[low.value, high.value]") == ["40", "40"]


def test_the_histogram_follows_the_other_filters(six):
    tall = "[...histogram.children].filter(e => e.getAttribute('height') > 0).length"
    inside = "[...histogram.querySelectorAll('.within')].filter(e => e.height.baseVal.value).length"
    assert six.run(tall) == 6
    six.click("#flaws button", at=2)
    show(six, "4 of 6 photos")
    assert six.run(tall) == 4
    six.slide("#low", 70)
    show(six, "1 of 6 photos")
    assert (six.run(tall), six.run(inside)) == (4, 1)


def test_a_folder_and_a_flaw_filter_with_counts_of_what_they_would_leave(six):
    choices = (
        "[...document.querySelectorAll('#folders button')]"
        ".map(e => [...e.children].map(c => c.textContent))"
    )
    assert six.run(choices) == [["All", "6"], ["x", "3"], ["y", "3"]]
    six.slide("#low", 60)
    six.click("#folders button", at=2)
    show(six, "1 of 6 photos")
    assert six.run(choices) == [["All", "4"], ["x", "3"], ["y", "1"]]
    assert six.run(SHOWN) == ["d.jpg"]


def test_find_looks_in_names_and_folders(six):
    six.press("/")
    six.type("Y e.j")
    show(six, "1 of 6 photos")
    assert six.run(SHOWN) == ["e.jpg"]


@pytest.mark.parametrize(
    ("order", "expected"), [("worst", "fedcba"), ("path", "abcdef"), ("folder", "abcdef")]
)
def test_it_sorts(six, order, expected):
    six.slide("#sort", order)
    six.until(f"{SHOWN}.map(n => n[0]).join('') === {expected!r}")
    six.until(f"document.querySelectorAll('.heading').length === {2 if order == 'folder' else 0}")


def test_it_sorts_by_the_probability_of_each_flaw(browser, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chances = [0.1, 0.9, 0.4]
    rows = [
        replace(row, flaws=(("blur", chance), ("<b>", 1 - chance)))
        for row, chance in zip(ranked(["a.jpg", "b.jpg", "c.jpg"]), chances, strict=True)
    ]
    open_fresh(browser, write(tmp_path, [*rows, *ranked(["", "", "", "d.jpg"])[3:]]))
    browser.slide("#sort", "flaw blur")
    browser.until(f"{SHOWN}.join() === 'b.jpg,c.jpg,a.jpg,d.jpg'")
    browser.slide("#sort", "flaw <b>")
    browser.until(f"{SHOWN}.join() === 'a.jpg,c.jpg,b.jpg,d.jpg'")
    options = browser.run("[...document.querySelectorAll('#sort option')].map(o => o.textContent)")
    assert options[-5:] == ["Most stars", "Most blur", "Most <b>", "Least blur", "Least <b>"]
    browser.slide("#sort", "least blur")
    browser.until(f"{FLAWS}.join() === 'blur 10 %,blur 40 %,blur 90 %,'")
    assert browser.run(SHOWN) == ["a.jpg", "c.jpg", "b.jpg", "d.jpg"]
    assert browser.complaints == []


def test_photos_are_filtered_by_the_probability_of_a_flaw(browser, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [
        replace(row, flaws=(("blur", chance), ("noise", 0.5)))
        for row, chance in zip(ranked(["a.jpg", "b.jpg", "c.jpg"]), (0.1, 0.9, 0.4), strict=True)
    ]
    open_fresh(browser, write(tmp_path, [*rows, *ranked(["", "", "", "d.jpg"])[3:]]))
    assert browser.run("document.querySelector('#chance').disabled")
    browser.slide("#chance-of", "0")
    browser.until(f"{SHOWN}.join() === 'b.jpg'")
    assert browser.run(FLAWS) == ["blur 90 %"]
    browser.slide("#chance", 30)
    browser.until(f"{SHOWN}.join() === 'b.jpg,c.jpg'")
    browser.slide("#sort", "path")
    browser.slide("#chance", 0)
    browser.until(f"{SHOWN}.join() === 'a.jpg,b.jpg,c.jpg'")  # nothing is known of d
    browser.click("#sort-by-chance")
    browser.until(f"{SHOWN}.join() === 'b.jpg,c.jpg,a.jpg'")
    browser.click("#reset")
    show(browser, "4 photos")
    assert browser.complaints == []


def test_a_page_without_probabilities_offers_no_filter_by_them(six):
    assert six.run("document.querySelector('#chance-field').hidden")


def test_a_photo_without_a_score_is_listed_with_its_reason(six):
    six.click("#to-failed")
    assert six.run("document.querySelector('#failed').open")
    assert six.run("document.querySelector('#failed li').innerText.split('\\n')[0]").startswith(
        "y/bad.jpg"
    )
    assert "the file is empty" in six.run("document.querySelector('#failed').innerText")


def test_arrows_move_the_focus_and_space_and_p_pick(six):
    six.press("ArrowRight")
    assert six.run(FOCUSED) == "a.jpg"
    six.press("ArrowRight")
    six.press(" ")
    six.press("End")
    six.press("p")
    assert six.run(FOCUSED) == "f.jpg"
    assert picked_in(six, "#download", "picks.txt") == b"x/b.jpg\ny/f.jpg\n"
    assert picked_in(six, "#download-nul", "picks-nul.txt") == b"x/b.jpg\0y/f.jpg\0"
    assert six.complaints == []


def test_the_focus_is_always_seen_and_has_words(six):
    six.press("ArrowRight")
    six.press("p")
    assert six.run("document.activeElement.ariaLabel") == "a.jpg, score 95.0, blur, picked"
    assert six.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert (
        six.run(
            "document.querySelectorAll('#grid [tabindex=\"0\"], #grid .photo:not([tabindex])').length"
        )
        == 1
    )


def test_the_large_view_leads_through_the_photos_and_back(six):
    six.press("ArrowRight")
    six.press("Enter")
    six.until(LARGE)
    assert six.run(LARGE_PATH) == "x/a.jpg"
    six.press("ArrowRight")
    six.press("p")
    six.press("ArrowLeft")
    six.press("ArrowLeft")  # there is none before
    assert six.run(LARGE_PATH) == "x/a.jpg"
    six.press("End")
    assert six.run(LARGE_PATH) == "y/f.jpg"
    six.press("Escape")
    six.until(f"!{LARGE}")
    six.until(f"{FOCUSED} === 'f.jpg'")
    assert picked_in(six, "#download", "picks.txt") == b"x/b.jpg\n"


def test_the_large_view_shows_the_file_itself_where_it_is_at_hand(six, six_address):
    Path(six_address.removeprefix("file://")).with_name("y").joinpath("f.jpg").unlink()
    six.click(".photo")
    six.until("document.querySelector('#picture').naturalWidth === 96")
    assert six.complaints == []
    six.press("End")
    six.until("document.querySelector('#picture').naturalWidth === 64")
    assert "thumbnail" in six.run("document.querySelector('#large-more').textContent")
    six.press("Escape")


def test_a_zoom_stays_at_its_place_from_photo_to_photo(browser, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for row in ranked(["a.jpg", "b.jpg"]):
        make_photo().resize((2000, 1500)).save(tmp_path / row.path)
    rows = [replace(row, width=2000, height=1500) for row in ranked(["a.jpg", "b.jpg"])]
    with (tmp_path / "gallery.html").open("wb") as file:
        gallery.write(file, rows, [None, None], folder=tmp_path)
    open_fresh(browser, f"file://{tmp_path}/gallery.html")
    size = "document.querySelector('#picture').getBoundingClientRect().width"
    place = "[stage.scrollLeft, stage.scrollTop]"
    original = "document.querySelector('#picture').src.endsWith('{}.jpg')"
    browser.click(".photo")
    browser.until(original.format("a"))
    assert browser.run(size) < 1000
    browser.press("z")
    assert browser.run(size) == 2000
    middle = browser.run(place)
    assert middle == [pytest.approx(500, abs=20), pytest.approx(430, abs=60)]
    browser.press("ArrowRight")
    browser.until(original.format("b"))
    assert (browser.run(size), browser.run(place)) == (2000, middle)
    browser.click("#zoom")
    assert browser.run(size) < 1000
    browser.press("Escape")


def test_all_shown_can_be_picked_and_that_undone(six):
    six.click("#folders button", at=1)
    show(six, "3 of 6 photos")
    six.click("#pick-shown")
    assert six.run("document.querySelector('#picked').textContent") == "3 picked"
    assert picked_in(six, "#download", "picks.txt") == b"x/a.jpg\nx/b.jpg\nx/c.jpg\n"
    six.click("#clear")
    assert six.run("document.querySelector('#tray').hidden")
    six.click("#toast button")
    assert six.run("document.querySelector('#picked').textContent") == "3 picked"


def test_picks_are_still_there_when_the_page_is_opened_again(six):
    six.press("ArrowRight")
    six.press("p")
    six.open(six.run("location.href"))
    assert six.run("document.querySelector('#picked').textContent") == "1 picked"


def test_picks_can_be_looked_at_alone(six):
    six.click(".pick", at=2)
    six.click("#picked-only")
    show(six, "1 of 6 photos")
    assert six.run(SHOWN) == ["c.jpg"]


def test_picks_are_copied_one_a_line(six):
    six.send("Browser.grantPermissions", permissions=["clipboardReadWrite"])
    six.click("#pick-shown")
    six.click("#copy")
    six.until("document.querySelector('#toast').textContent.includes('copied')")
    assert six.run("navigator.clipboard.readText()").split("\n") == [
        *("x/a.jpg", "x/b.jpg", "x/c.jpg"),
        *("y/d.jpg", "y/e.jpg", "y/f.jpg"),
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_hostile_names_run_nothing_and_come_out_of_the_list_as_they_are(
    browser, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    open_fresh(browser, write(tmp_path, ranked(HOSTILE)))
    assert browser.run("document.querySelectorAll('.cell').length") == len(HOSTILE)
    shown = browser.run(SHOWN)
    assert shown[0] == HOSTILE[0]
    assert shown[3:6] == ["\\u{202e}gpj.exe", "two\\u{a}lines.jpg", "caf\\xe9.jpg"]
    browser.click("#pick-shown")
    names = picked_in(browser, "#download-nul", "picks-nul.txt").split(b"\0")
    assert names == [*map(os.fsencode, HOSTILE), b""]
    browser.click(".photo")
    for _ in HOSTILE:
        browser.until("document.querySelector('#picture').naturalWidth === 96")
        browser.press("ArrowRight")
    browser.press("Escape")
    assert browser.complaints == []


def test_a_burst_is_its_best_photo_until_it_is_opened(browser, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = ranked(["a.jpg", "b.jpg", "c.jpg", "d.jpg"])
    rows[1:] = [replace(row, burst=7, is_burst_best=row.path.name == "c.jpg") for row in rows[1:]]
    open_fresh(browser, write(tmp_path, rows))
    assert browser.run(SHOWN) == ["a.jpg", "c.jpg"]
    assert browser.run(COUNT) == "4 photos, 2 in stacks"
    assert browser.run("document.querySelectorAll('.stack')[1].textContent") == "3 +"
    browser.click(".stack", at=1)
    assert browser.run(SHOWN) == ["a.jpg", "c.jpg", "b.jpg", "d.jpg"]
    browser.press("End")
    browser.press("b")  # closes, and the focus is on the best
    assert browser.run(SHOWN) == ["a.jpg", "c.jpg"]
    assert browser.run(FOCUSED) == "c.jpg"
    browser.click("#stack")
    browser.until(f"{SHOWN}.join() === 'a.jpg,b.jpg,c.jpg,d.jpg'")


def test_of_a_thousand_photos_only_those_near_the_window_are_elements(
    browser, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    rows = [
        Row(path=Path(f"{n:04}.jpg"), rank=n + 1, score=100 - n / 10, width=96, height=64)
        for n in range(1000)
    ]
    make_photo().save(tmp_path / "0000.jpg")
    thumbnail = thumbnails.to_webp(tmp_path / "0000.jpg", max_side=64)
    with (tmp_path / "gallery.html").open("wb") as file:
        gallery.write(file, rows, [thumbnail] * 1000, folder=tmp_path)
    open_fresh(browser, f"file://{tmp_path}/gallery.html")
    assert 5 < browser.run("document.querySelectorAll('.cell').length") < 60
    browser.run("scrollTo(0, document.body.scrollHeight)")
    browser.until(f"{SHOWN}.includes('0999.jpg')")
    assert browser.run("document.querySelectorAll('.cell').length") < 60
    browser.until("[...document.querySelectorAll('.cell img')].every(i => i.naturalWidth === 64)")


def test_dark_and_light_follow_the_system_until_one_is_chosen(six):
    ground = "getComputedStyle(document.body).backgroundColor"
    six.prefer(prefers_color_scheme="light")
    light = six.run(ground)
    six.prefer(prefers_color_scheme="dark")
    dark = six.run(ground)
    assert light != dark
    six.click("#theme")
    assert six.run(ground) == light
    six.open(six.run("location.href"))
    assert six.run(ground) == light


def test_on_a_phone_nothing_is_wider_than_the_screen(six):
    six.resize(390, 844, is_phone=True)
    six.click("#show-panel")
    six.click("#pick-shown")
    assert six.run("document.documentElement.scrollWidth") <= 390
    assert six.run("tray.getBoundingClientRect().right") <= 390
    assert six.run("tray.scrollWidth <= tray.clientWidth")
