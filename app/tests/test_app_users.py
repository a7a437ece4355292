"""Signing in: passwords and refresh tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest
from app_server import RunningApp

from rackwright_app.settings import Settings
from rackwright_app.users.passwords import hashed

PASSWORD = "correct horse battery"


@pytest.fixture
def page(
    settings: Settings,
    start_app: Callable[[Settings], RunningApp],
    database: psycopg.Connection[dict[str, Any]],
) -> Iterator[httpx.Client]:
    """A page in a browser: it keeps cookies. There are two users, one of them shut out."""
    database.execute("TRUNCATE users CASCADE")
    for name, disabled in (("Alice", False), ("mallory", True)):
        database.execute(
            "INSERT INTO users (name, role, password_hash, disabled) VALUES (%s, 'user', %s, %s)",
            (name, hashed(PASSWORD), disabled),
        )
    changed = settings.model_dump()
    changed["sign_in"] |= {"secure_cookie": False, "tries": 4}
    with httpx.Client(base_url=start_app(Settings.model_validate(changed)).url, timeout=20) as client:
        yield client


def sign_in(page: httpx.Client, user: str = "alice", password: str = PASSWORD) -> httpx.Response:
    return page.post("/api/auth/login", json={"user": user, "password": password})


def test_a_password_gets_a_short_token_and_a_cookie_that_no_script_reads(page: httpx.Client) -> None:
    answer = sign_in(page)
    assert answer.status_code == 200
    assert answer.json()["expires_in"] == 900
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/api/auth" in cookie
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert page.get("/api/auth/me", headers=headers).json() == {
        "user": "Alice",
        "role": "user",
        "provider": False,
    }
    assert page.get("/api/sessions", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("user", "password"),
    [("alice", "wrong password"), ("nobody", PASSWORD), ("mallory", PASSWORD), ("' OR 1=1 --", PASSWORD)],
)
def test_wrong_unknown_and_shut_out_do_not_differ(page: httpx.Client, user: str, password: str) -> None:
    answer = sign_in(page, user, password)
    assert (answer.status_code, answer.json()["error"]["message"]) == (401, "User or password is wrong.")
    assert "set-cookie" not in answer.headers


def test_guessing_ends_soon(page: httpx.Client) -> None:
    statuses = [sign_in(page, "alice", f"guess {number}").status_code for number in range(6)]
    assert statuses == [401] * 4 + [429] * 2
    assert sign_in(page).status_code == 429
    spread = [sign_in(page, f"user{number}", "guess").status_code for number in range(4)]
    assert spread[-1] == 429


def test_a_refresh_token_is_used_once_and_a_stolen_one_ends_the_family(
    page: httpx.Client, database: psycopg.Connection[dict[str, Any]]
) -> None:
    sign_in(page)
    stolen = page.cookies["rackwright_refresh"]
    assert page.post("/api/auth/refresh").status_code == 200
    assert page.cookies["rackwright_refresh"] != stolen
    database.execute("UPDATE refresh_tokens SET used_at = used_at - interval '1 minute'")
    thief = httpx.post(
        f"{page.base_url}/api/auth/refresh", headers={"Cookie": f"rackwright_refresh={stolen}"}
    )
    assert thief.status_code == 401
    assert page.post("/api/auth/refresh").status_code == 401


def test_signing_out_ends_it(page: httpx.Client) -> None:
    sign_in(page)
    kept = page.cookies["rackwright_refresh"]
    assert page.post("/api/auth/logout").status_code == 204
    answer = httpx.post(f"{page.base_url}/api/auth/refresh", headers={"Cookie": f"rackwright_refresh={kept}"})
    assert answer.status_code == 401


def test_a_user_who_is_shut_out_gets_no_further_token(
    page: httpx.Client, database: psycopg.Connection[dict[str, Any]]
) -> None:
    sign_in(page)
    database.execute("UPDATE users SET disabled = true")
    assert page.post("/api/auth/refresh").status_code == 401


def test_the_password_is_nowhere_written_down(page: httpx.Client, database: psycopg.Connection[Any]) -> None:
    sign_in(page)
    (row,) = database.execute("SELECT password_hash FROM users WHERE name = 'Alice'").fetchall()
    assert row["password_hash"].startswith("$argon2id$")
