"""Options that do not go together, at every command that has some."""

from __future__ import annotations

from pathlib import Path

import pytest

WITH = {
    "fit-regressor of a table": (
        ("fit-regressor", "--mos", "scores.csv"),
        [(("--blend", 0.5), "--blend belongs to --ratings")],
    ),
    "fit-regressor of stars": (
        ("fit-regressor", "--ratings", "."),
        [
            (("--group", "day"), "--group belongs to --mos"),
            (("--lower-is-better",), "--lower-is-better belongs to --mos"),
            (("--pristine", "a"), "--pristine belongs to --mos"),
            (("--max-side", 768), "--max-side belongs to --mos"),
        ],
    ),
    "score of photos": (
        ("score", "a"),
        [
            (("--shard", "1/2"), "--shard belongs to shards"),
            (("--max-failures", "0"), "--max-failures belongs to shards"),
            (("--ray",), "--ray belongs to shards"),
        ],
    ),
    "score of shards": (
        ("score", "a", "--output", "scores/"),
        [
            (("--xmp",), "--xmp belongs to a report of photos"),
            (("--bursts", 0), "--bursts belongs to a report of photos"),
            (("--fail-under", 0), "--fail-under belongs to a report of photos"),
            (("--gallery", "g.html"), "--gallery belongs to a report of photos"),
        ],
    ),
    "select that shows": (
        ("select", "--from", "report.csv"),
        [
            (("-0",), "--null belongs to --list"),
            (("--to", "to"), "--to belongs to --copy, --move and --symlink"),
            (("--dry-run",), "--dry-run belongs to --copy, --move and --symlink"),
            (("--undo-file", "u"), "--undo-file belongs to --move"),
        ],
    ),
    "select that copies": (
        ("select", "--from", "report.csv", "--copy", "--to", "to"),
        [
            (("-o", "best.csv"), "--output belongs to a report, and --copy makes none"),
            (("--undo-file", "u"), "--undo-file belongs to --move"),
        ],
    ),
    "rate by scores": (
        ("rate", "--from", "report.csv"),
        [(("--undo-file", "u"), "--undo-file belongs to a list of picks")],
    ),
    "rate by picks": (
        ("rate", "--from", "picks.json"),
        [(("--thresholds", "20,40,60,80,95"), "--thresholds belongs to a report")],
    ),
}


@pytest.mark.parametrize(("command", "cases"), WITH.values(), ids=WITH)
def test_an_option_without_a_meaning_is_wrong_usage_whatever_its_value(
    contrique, desk, command, cases
):
    """A default, or a 0, that was spelled out once passed for not given."""
    Path("picks.json").write_text(
        '{"format": "contrique-picks", "version": 1, "photos": [{"path": "a/x.jpg", "rating": 1}]}'
    )
    before = sorted(path for path in Path().rglob("*"))
    for options, message in cases:
        done = contrique(*command, *options)
        assert (done.status, done.out) == (2, ""), options
        assert done.err.startswith(f"error: {message}"), options
    assert sorted(path for path in Path().rglob("*")) == before
