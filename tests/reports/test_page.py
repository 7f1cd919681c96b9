"""The gallery in a real browser: what it shows, what the keys do, what a list of picks holds."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from contrique_cli.collection import picks
from contrique_cli.collection.ratings import find_stars
from contrique_cli.reports import gallery, thumbnails
from contrique_cli.reports.rows import Row
from tests.browser import CHROMIUM, Browser
from tests.conftest import make_photo

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, which is not installed")

SHOWN = "[...document.querySelectorAll('.cell')].map(e => e.querySelector('.name').textContent)"
COUNT = "document.querySelector('#count').textContent"
FOCUSED = "document.activeElement.closest('.cell')?.querySelector('.name').textContent"
FLAWS = "[...document.querySelectorAll('.caption .flaw')].map(e => e.textContent)"
STARS = "[...document.querySelectorAll('.caption .given')].map(e => e.textContent)"
COMPARE = "document.querySelector('#compare').open"
FRAMES = "[...document.querySelectorAll('.frame')].map(e => e.querySelector('.name').textContent)"
IN_FOCUS = "document.activeElement.querySelector('.name')?.textContent"
LARGE = "document.querySelector('#large').open"
LARGE_PATH = "document.querySelector('#large-path').textContent"
HOSTILE = [
    "<img src=x onerror=alert(1)>.jpg",
    "<|script><script>alert(1)<|script>.jpg".replace("|", "\\"),
    "'\"-alert(1)-'\".jpg",
    "\u202egpj.exe",
    "two\nlines.jpg",
    os.fsdecode(b"caf\xe9.jpg"),
    "naïve 照片.jpg",
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    one = Browser(tmp_path_factory.mktemp("browser"))
    yield one
    one.close()


def write(folder: Path, rows: list[Row]) -> str:
    """A gallery of generated photos that exist; its address."""
    for number, row in enumerate(rows):
        if row.score is not None:
            (folder / row.path).parent.mkdir(parents=True, exist_ok=True)
            make_photo(number % 5, row.width, row.height).save(folder / row.path, "JPEG")
    made = thumbnails.make(
        (folder / row.path for row in rows if row.score is not None), max_side=64
    )
    with (folder / "gallery.html").open("wb") as file:
        gallery.write(file, rows, [one for one in made if isinstance(one, bytes)], folder=folder)
    return f"file://{folder}/gallery.html"


def ranked(names: list[str], **more: object) -> list[Row]:
    """Rows with scores 95, 85, 75 ... in the order of the names."""
    return [
        Row(path=Path(name), rank=place + 1, score=95.0 - 10 * place, width=96, height=64, **more)
        for place, name in enumerate(names)
    ]


@pytest.fixture(scope="module")
def six_address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of a gallery of a.jpg to f.jpg in two folders, the first two blurred, and a failure."""
    rows = ranked(["x/a.jpg", "x/b.jpg"], flaw="blur")
    rows += ranked(["", "", "x/c.jpg", "y/d.jpg", "y/e.jpg", "y/f.jpg"], flaw="none")[2:]
    rows.append(Row(path=Path("y/bad.jpg"), error="the file is empty"))
    folder = tmp_path_factory.mktemp("six")
    with contextlib.chdir(folder):
        return write(folder, rows)


@pytest.fixture
def six(browser, six_address) -> Browser:
    open_fresh(browser, six_address)
    return browser


def open_fresh(browser: Browser, address: str) -> None:
    browser.complaints.clear()
    browser.requests.clear()
    browser.resize(1000, 700)
    browser.run("try { localStorage.clear() } catch {}")  # all local files share one
    browser.open(address)


def show(browser: Browser, count: str) -> None:
    browser.until(f"{COUNT} === {count!r}")


def picked_in(browser: Browser, button: str, name: str) -> bytes:
    """The list of picks that a button downloads."""
    for old in browser.downloads.iterdir():
        old.unlink()
    browser.send("Page.setDownloadBehavior", behavior="allow", downloadPath=str(browser.downloads))
    browser.click(button)
    target = browser.downloads / name
    browser.wait(lambda: target.exists() and target.stat().st_size, name)
    return target.read_bytes()


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
    browser.until(f"{SHOWN}.join() === 'a.jpg,c.jpg,b.jpg,d.jpg'")
    assert browser.run(FLAWS) == ["blur 10 %", "blur 40 %", "blur 90 %", ""]
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


# -------------------------------------------------------------------------------- stars


def stars_in(browser: Browser) -> dict:
    """The list that the page downloads."""
    return json.loads(picked_in(browser, "#download-stars", "picks.json"))


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
    assert [(row.path, row.stars) for row in found.rows] == [
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
    real = gallery._photo

    def rated(row: Row, *rest: object) -> dict:
        return real(row, *rest) | ({"rating": 4} if row.path.name == "a.jpg" else {})

    monkeypatch.setattr(gallery, "_photo", rated)
    open_fresh(browser, write(tmp_path, ranked(["a.jpg", "b.jpg"])))
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


# -------------------------------------------------------------------------- side by side


@pytest.fixture
def burst(browser, tmp_path, monkeypatch) -> Browser:
    """A gallery of a photo, a burst of five and a bracket of two, 800 pixels wide each."""
    monkeypatch.chdir(tmp_path)
    names = ["a.jpg", *(f"b{number}.jpg" for number in range(5)), "c0.jpg", "c1.jpg"]
    rows = [replace(row, width=800, height=600) for row in ranked(names)]
    rows[1:6] = [replace(row, burst=1, is_burst_best=row.rank == 3) for row in rows[1:6]]
    rows[6:] = [replace(row, burst=2, burst_kind="bracket") for row in rows[6:]]
    open_fresh(browser, write(tmp_path, rows))
    return browser


def test_frames_lie_side_by_side_and_are_rated_by_keys(burst):
    assert burst.run(SHOWN) == ["a.jpg", "b1.jpg", "c0.jpg"]
    stacks = "[...document.querySelectorAll('.stack:not([hidden])')].map(e => e.textContent)"
    assert burst.run(stacks) == ["5 +", "2 bracket +"]
    for _ in range(2):
        burst.press("ArrowRight")
    burst.press("c")
    burst.until(COMPARE)
    assert burst.run(FRAMES) == ["b0.jpg", "b1.jpg", "b2.jpg", "b3.jpg"]  # 1000 pixels: four
    assert burst.run(IN_FOCUS) == "b1.jpg"
    burst.press("5")
    for _ in range(3):
        burst.press("ArrowRight")
    assert burst.run(FRAMES) == ["b1.jpg", "b2.jpg", "b3.jpg", "b4.jpg"]
    burst.press("x")
    burst.press("Home")
    assert burst.run(IN_FOCUS) == "b0.jpg"
    burst.press("ArrowDown")
    assert burst.run(IN_FOCUS) == "b2.jpg"
    burst.press("p")
    burst.press("Escape")
    burst.until(f"!{COMPARE}")
    burst.until(f"{FOCUSED} === 'b1.jpg'")  # the stack
    assert [(one["path"], one["rating"]) for one in stars_in(burst)["photos"]] == [
        ("b1.jpg", 5),
        ("b4.jpg", -1),
    ]
    assert burst.complaints == []


ZOOMED = (
    "[...document.querySelectorAll('.view img')].map(e => {const b = e.parentElement;"
    "return [e.offsetWidth, Math.round(e.offsetLeft - b.clientWidth / 2),"
    " Math.round(e.offsetTop - b.clientHeight / 2)].join()})"
)


def test_frames_zoom_and_move_as_one(burst):
    burst.press("End")
    burst.press("End")
    burst.press("c")
    burst.until(COMPARE)
    burst.until("[...document.querySelectorAll('.view img')].every(i => i.naturalWidth === 800)")
    assert burst.run(FRAMES) == ["c0.jpg", "c1.jpg"]
    whole = burst.run(ZOOMED)
    burst.press("+")
    closer = burst.run(ZOOMED)
    burst.press("z")
    assert burst.run(ZOOMED) == whole
    burst.press("z")
    pixels = burst.run(ZOOMED)
    burst.send(
        "Input.dispatchKeyEvent",
        type="keyDown",
        key="ArrowLeft",
        modifiers=8,
        windowsVirtualKeyCode=37,
    )
    moved = burst.run(ZOOMED)
    for places in (whole, closer, pixels, moved):
        assert places[0] == places[1]
    assert len({whole[0], closer[0], pixels[0], moved[0]}) == 4
    assert pixels[0].split(",")[0] == moved[0].split(",")[0] == "800"
    assert burst.run("document.querySelector('#compare-zoom').textContent") == "100 %"
    burst.press("-")
    burst.press("-")
    burst.press("-")
    assert burst.run(ZOOMED) == whole
    burst.press("c")
    burst.until(f"!{COMPARE}")


def test_a_click_chooses_a_frame_and_a_second_zooms_there(burst):
    burst.press("End")
    burst.press("End")
    burst.press("c")
    burst.until(COMPARE)
    whole = burst.run(ZOOMED)
    burst.click(".view", at=1)
    assert burst.run(IN_FOCUS) == "c1.jpg"
    assert burst.run(ZOOMED) == whole
    burst.click(".view", at=1)
    assert burst.run(ZOOMED) != whole
    burst.click("#compare-stars button", at=2)
    burst.click("#compare-close")
    burst.until(f"!{COMPARE}")
    assert [one["path"] for one in stars_in(burst)["photos"]] == ["c1.jpg"]


def test_a_frame_whose_file_is_gone_says_that_it_is_a_thumbnail(burst, tmp_path):
    (tmp_path / "c1.jpg").unlink()
    burst.press("End")
    burst.press("End")
    burst.press("c")
    words = "[...document.querySelectorAll('.frame-caption')].map(e => e.textContent)"
    burst.until(f"{words}[1]?.includes('thumbnail')")
    burst.until("document.querySelector('.view img').naturalWidth === 800")
    assert "thumbnail" not in burst.run(words)[0]
    burst.press("Escape")


def test_a_photo_of_no_burst_has_nothing_beside_it(burst):
    burst.press("ArrowRight")
    burst.press("c")
    assert not burst.run(COMPARE)
    assert "no burst" in burst.run("document.querySelector('#toast').textContent")
    burst.press("Enter")
    burst.until(LARGE)
    assert burst.run("document.querySelector('#large-compare').hidden")
    burst.press("ArrowRight")
    burst.until("document.querySelector('#picture').src.endsWith('b1.jpg')")
    burst.click("#large-compare")
    burst.until(COMPARE)
    burst.press("ArrowRight")
    burst.press("Enter")
    burst.until(f"!{COMPARE}")
    burst.until(f"{LARGE_PATH} === 'b2.jpg'")
    burst.press("?")
    assert burst.run("document.querySelector('#keys').open")
    burst.press("Escape")
    burst.press("Escape")


def test_on_a_phone_two_frames_fit(burst):
    burst.resize(390, 844, is_phone=True)
    burst.press("End")
    burst.press("ArrowLeft")
    burst.press("c")
    burst.until(COMPARE)
    assert burst.run(FRAMES) == ["b0.jpg", "b1.jpg"]
    size = "[compare.scrollWidth, compare.scrollHeight, frames.scrollHeight - frames.clientHeight]"
    assert burst.run(
        size.replace("compare.", "document.querySelector('#compare').").replace(
            "frames.", "document.querySelector('#frames')."
        )
    ) == [390, 844, 0]
    burst.press("End")
    assert burst.run(FRAMES) == ["b3.jpg", "b4.jpg"]
    burst.press("Escape")


def test_fingers_swipe_to_the_next_pinch_and_move(burst):
    burst.resize(390, 844, is_phone=True)
    burst.press("End")
    burst.press("ArrowLeft")
    burst.press("c")
    burst.until(COMPARE)
    burst.until("[...document.querySelectorAll('.view img')].every(i => i.naturalWidth === 800)")
    burst.send("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=2)

    def drag(*fingers: list[tuple[int, int]]) -> None:
        """Fingers from place to place, all in step."""
        for step, places in enumerate(zip(*fingers, strict=True)):
            points = [{"x": x, "y": y, "id": one} for one, (x, y) in enumerate(places)]
            kind = "touchMove" if step else "touchStart"
            burst.send("Input.dispatchTouchEvent", type=kind, touchPoints=points)
        burst.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    try:
        assert burst.run(IN_FOCUS) == "b1.jpg"
        drag([(300, 150), (200, 150), (120, 155)])
        burst.until(f"{IN_FOCUS} === 'b2.jpg'")
        whole = burst.run(ZOOMED)
        drag([(150, 150), (120, 150), (80, 150)], [(250, 150), (280, 150), (320, 150)])
        burst.until(f"{ZOOMED}[0] !== {whole[0]!r}")
        closer = burst.run(ZOOMED)
        drag([(200, 150), (150, 150), (100, 150)])
        burst.until(f"{ZOOMED}[0] !== {closer[0]!r}")
        moved = burst.run(ZOOMED)
        assert (closer[0], moved[0]) == (closer[1], moved[1])
        assert burst.run(IN_FOCUS) == "b2.jpg"
    finally:
        burst.send("Emulation.setTouchEmulationEnabled", enabled=False)
    burst.press("Escape")
