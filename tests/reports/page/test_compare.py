"""Frames of a burst or bracket side by side, by keys, mouse and fingers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.browser import CHROMIUM, Browser
from tests.pages import (
    COMPARE,
    FOCUSED,
    FRAMES,
    IN_FOCUS,
    LARGE,
    LARGE_PATH,
    SHOWN,
    open_fresh,
    ranked,
    stars_in,
    write,
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, which is not installed")


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
