"""Gives a command of ours for the scenario's site, as an operator does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from machines import PROJECT, SOURCES


def words_of(*words: str) -> list[str]:
    """Return the whole command line: the words behind `rackwright`, and the scenario's inventory."""
    named = [part for source in SOURCES for part in ("-i", str(source))]
    return [str(Path(sys.executable).with_name("rackwright")), *words, *named]


def given(*words: str, seconds: float = 600) -> subprocess.CompletedProcess[str]:
    """Give it; return exit status and what it said."""
    return subprocess.run(
        words_of(*words), cwd=PROJECT, capture_output=True, text=True, check=False, timeout=seconds
    )
