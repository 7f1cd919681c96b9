"""Files that begin as photos do in the current folder, and their report."""

from __future__ import annotations

import os
from pathlib import Path

from contrique_cli.reports import rows as report_rows
from contrique_cli.reports.rows import Row

JPEG = b"\xff\xd8\xff\xe0"
SCORES = {"a/x.jpg": 90.0, "a/y.jpg": 70.0, "b/x.jpg": 80.0, "b/z.jpg": 10.0}


def write(rows: list[Row]) -> None:
    """Write a report of each form into the current folder."""
    Path("report.csv").write_bytes(report_rows.to_csv(report_rows.rank(rows)))
    Path("report.json").write_bytes(report_rows.to_json(rows, {}))
    Path("report.jsonl").write_bytes(b"".join(map(report_rows.to_json_line, rows)))


def files(folder: str) -> list[str]:
    return sorted(name for name in os.listdir(folder) if not name.startswith("contrique-undo"))
