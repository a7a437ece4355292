"""Parts that need no server: addresses, history, settings."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from rackwright_app.cli import main
from rackwright_app.clients import client_address
from rackwright_app.database.conversations import Turn
from rackwright_app.history import compose, estimate_tokens
from rackwright_app.settings import Settings, load_settings
from rackwright_app.tokens import TokenVerifier

TRUSTED = [ip_network("10.77.10.0/24"), ip_network("fd00::/64")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "real", "found"),
    [
        ("10.77.10.11", ["192.0.2.7"], None, "192.0.2.7"),
        ("10.77.10.11", ["1.2.3.4, 192.0.2.7, 10.77.10.12"], None, "192.0.2.7"),
        ("10.77.10.11", ["1.2.3.4", "192.0.2.7"], None, "192.0.2.7"),
        ("10.77.10.11", [], "192.0.2.7", "192.0.2.7"),
        ("10.77.10.11", [], "nonsense", "10.77.10.11"),
        ("10.77.10.11", ["nonsense"], "192.0.2.7", "10.77.10.11"),
        ("10.77.10.11", ["10.77.10.12"], None, "10.77.10.11"),
        ("10.77.10.11", [], None, "10.77.10.11"),
        ("fd00::1", ["2001:db8::7"], None, "2001:db8::7"),
        ("::ffff:10.77.10.11", ["192.0.2.7"], None, "192.0.2.7"),
        ("192.0.2.66", ["1.2.3.4"], "1.2.3.4", "192.0.2.66"),
        ("unknown", ["1.2.3.4"], "1.2.3.4", "unknown"),
    ],
)
def test_client_address(peer: str, forwarded: list[str], real: str | None, found: str) -> None:
    assert client_address(peer, forwarded, real, TRUSTED) == found


@given(st.lists(st.text(max_size=20), max_size=4), st.none() | st.text(max_size=20))
def test_a_stranger_cannot_choose_its_address(forwarded: list[str], real: str | None) -> None:
    assert client_address("192.0.2.66", forwarded, real, TRUSTED) == "192.0.2.66"


def turn(number: int, question: str, answer: str) -> Turn:
    return Turn(number, question, answer, "complete", None, None, datetime(2026, 1, 1, tzinfo=UTC))


@given(
    st.lists(st.tuples(st.text(max_size=200), st.text(min_size=1, max_size=200)), max_size=8),
    st.text(min_size=1, max_size=400),
    st.integers(min_value=1, max_value=600),
)
def test_history_stays_within_its_budget(pairs: list[tuple[str, str]], question: str, budget: int) -> None:
    turns = [turn(number, *pair) for number, pair in enumerate(pairs)]
    messages = compose(turns, question, system_prompt="", budget_tokens=budget)
    assert messages[-1] == {"role": "user", "content": question}
    total = sum(estimate_tokens(message["content"]) for message in messages)
    assert total <= max(budget, estimate_tokens(question))
    # What goes along is the end of the conversation, without a gap, in pairs.
    kept = [message["content"] for message in messages[:-1]]
    assert kept == [text for pair in pairs for text in pair][len(pairs) * 2 - len(kept) :]
    assert len(kept) % 2 == 0


def test_the_system_prompt_comes_first() -> None:
    messages = compose([turn(1, "a", "b")], "c", system_prompt="Be brief.", budget_tokens=1000)
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]


CONFIG = """
workers = 2
[database]
host = "10.0.0.1"
name = "ai_platform"
user = "app"
ca = "/etc/ca.pem"
[redis]
host = "10.0.0.1"
ca = "/etc/ca.pem"
"""
ENGINE = """
[engine]
urls = ["http://10.0.0.2:8080/v1"]
model = "tiny"
"""
SECRETS = {
    "database": {"password": "database-password"},
    "redis": {"password": "redis-password"},
    "engine": {"api_key": "engine-key"},
    "tokens": {"keys": [{"id": "1", "secret": "k" * 32}]},
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "app.toml").write_text(CONFIG)
    (tmp_path / "engine.toml").write_text(ENGINE)
    (tmp_path / "secrets.json").write_text(json.dumps(SECRETS))
    monkeypatch.setenv("RACKWRIGHT_APP_CONFIG", str(tmp_path / "app.toml"))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("files")
def test_settings_come_from_all_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RACKWRIGHT_APP_DATABASE__HOST", "10.0.0.9")
    settings = load_settings()
    assert (settings.database.host, settings.database.name) == ("10.0.0.9", "ai_platform")
    assert settings.database.password.get_secret_value() == "database-password"
    assert settings.engine.model == "tiny"
    assert (settings.workers, settings.database.sslmode, settings.redis.tls) == (2, "verify-full", True)


@pytest.mark.parametrize("variable", ["CREDENTIALS_DIRECTORY", "RACKWRIGHT_APP_SECRETS"])
def test_secrets_come_from_a_credential_or_a_file(
    files: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/nonexistent")
    monkeypatch.setenv(variable, str(files if variable.startswith("C") else files / "secrets.json"))
    assert load_settings().redis.password.get_secret_value() == "redis-password"


@pytest.mark.usefixtures("files")
def test_secrets_do_not_show() -> None:
    shown = repr(load_settings())
    for secret in ("database-password", "redis-password", "engine-key", "k" * 32):
        assert secret not in shown


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ('tls = {certificat = "x"}\n', "tls.certificat"),
        ("workers = 0\n", "workers"),
        ('unknown = "x"\n', "unknown"),
    ],
)
def test_a_wrong_setting_is_named_without_values(files: Path, change: str, named: str) -> None:
    (files / "app.toml").write_text(change + CONFIG.replace("workers = 2", ""))
    (files / "secrets.json").write_text(
        json.dumps({**SECRETS, "tokens": {"keys": [{"id": "1", "secret": "short"}]}})
    )
    result = CliRunner().invoke(main, ["check"])
    assert result.exit_code == 2
    assert named in result.output
    assert "tokens.keys.0.secret: Value error, a signing key needs at least 32 bytes" in result.output
    assert "short" not in result.output


@pytest.mark.usefixtures("files")
def test_the_token_command_makes_a_token_that_holds() -> None:
    assert CliRunner().invoke(main, ["check"]).exit_code == 0
    result = CliRunner().invoke(main, ["token", "alice", "--role", "admin", "--hours", "1"])
    settings: Settings = load_settings()
    principal = TokenVerifier(settings.tokens).verify(f"Bearer {result.output.strip()}")
    assert (principal.subject, principal.role.value) == ("alice", "admin")


def test_help_lists_every_command() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    assert all(name in result.output for name in ("check", "migrate", "serve", "token"))
