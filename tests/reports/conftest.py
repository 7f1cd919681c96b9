"""One browser for the tests of the page."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from contrique_cli.reports.rows import Row
from tests.browser import Browser
from tests.pages import open_fresh, ranked, write


@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    one = Browser(tmp_path_factory.mktemp("browser"))
    yield one
    one.close()


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
