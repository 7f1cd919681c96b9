"""Tables on a terminal."""

from __future__ import annotations

import pytest

from tests.conftest import make_photo

pytestmark = pytest.mark.usefixtures("tiny_regressor")


TINY = ("--regressor", "tiny", "--device", "cpu")


def test_table_shows_both_ends_of_a_long_report(contrique, tmp_path):
    for seed in range(25):
        make_photo(seed, 40, 40).save(tmp_path / f"{seed:02}.png")
    done = contrique("score", tmp_path, "--format", "table", *TINY)
    assert "… 5 more …" in done.out
    assert done.out.count(".png") == 20
