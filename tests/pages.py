"""Galleries of generated photos, and what is seen of them in the browser."""

from __future__ import annotations

import json
import os
from pathlib import Path

from contrique_cli.reports import gallery, thumbnails
from contrique_cli.reports.rows import Row
from tests.browser import Browser
from tests.conftest import make_photo

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


def write(folder: Path, rows: list[Row]) -> str:
    """A gallery of generated photos that exist; its address."""
    for number, row in enumerate(rows):
        if row.score is not None:
            (folder / row.path).parent.mkdir(parents=True, exist_ok=True)
            photo = make_photo(number % 5).resize((row.width, row.height))
            photo.save(folder / row.path, "JPEG")
    made = thumbnails.make(
        (folder / row.path for row in rows if row.score is not None), max_side=64
    )
    with (folder / "gallery.html").open("wb") as file:
        gallery.write(file, rows, [one for one in made if isinstance(one, bytes)], folder=folder)
    return f"file://{folder}/gallery.html"


def ranked(names: list[str], **more: object) -> list[Row]:
    """Rows with scores 95, 85, 75 ... in the order of the names."""
    return [
        Row(path=Path(name), rank=index + 1, score=95.0 - 10 * index, width=96, height=64, **more)
        for index, name in enumerate(names)
    ]


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


def stars_in(browser: Browser) -> dict:
    """The list that the page downloads."""
    return json.loads(picked_in(browser, "#download-stars", "picks.json"))
