"""Counts of the campaigns, at the end of a run that asks for the long ones."""

from __future__ import annotations

import re

import pytest

COUNTS = re.compile(r".+: \d+ tried, \d+ survived, \d+ lost.*")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print what each test has printed of its counts, passed or not."""
    if config.option.markexpr != "slow":
        return
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for line in COUNTS.findall(report.capstdout):
                terminalreporter.write_line(line)
