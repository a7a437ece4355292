from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rackwright.init.answers import Answers, parse_answers

SMALL: dict[str, Any] = {
    "size": "small",
    "name": "first",
    "domain": "ai.example.internal",
    "users": 10,
    "hosts": [{"name": "server1", "address": "10.20.0.11"}],
    "management": ["10.20.0.5/32"],
}


@pytest.fixture
def small() -> dict[str, Any]:
    """The fewest answers that make a site."""
    return {**SMALL, "hosts": [dict(host) for host in SMALL["hosts"]]}


@pytest.fixture
def answers_of(small: dict[str, Any]) -> Callable[..., Answers]:
    """Answers with some of the fewest replaced."""

    def build(**other: object) -> Answers:
        return parse_answers(small | other)

    return build


@pytest.fixture
def sites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory for sites, whose vaults have a password of their own."""
    password = tmp_path / "password"
    password.write_text("a password for tests alone", encoding="utf-8")
    password.chmod(0o600)
    monkeypatch.setenv("RACKWRIGHT_VAULT_PASSWORD_FILE", str(password))
    return tmp_path / "sites"
