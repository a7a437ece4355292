from __future__ import annotations

from pathlib import Path

import pytest
from lab_sample import GROUPS, variables

from rackwright.lab.inventory import build_lab
from rackwright.lab.model import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return build_lab(variables(tmp_path), GROUPS)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RACKWRIGHT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
