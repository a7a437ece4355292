"""Judging one host, for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest
from preflight_sample import NOW, answer, seen, subject

from rackwright.preflight.finding import HostFinding
from rackwright.preflight.judge import judge
from rackwright.preflight.subject import Subject

Judged: TypeAlias = Callable[..., list[HostFinding]]


@pytest.fixture
def judged() -> Judged:
    """Judge one host; without the checks that passed."""

    def run(
        about: Subject | None = None,
        accept: tuple[str, ...] = (),
        window: tuple[float, float] = (NOW, NOW + 0.5),
        **changes: object,
    ) -> list[HostFinding]:
        about = about or subject("postgresql", "redis")
        found = judge({about.name: about}, [answer(seen(**changes), about.name, window=window)], accept)
        return [finding for finding in found if finding.severity != "ok"]

    return run
