"""An app that signs in at an identity provider, and browsers before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from app_server import RunningApp
from provider_double import ProviderDouble, provider_double

from rackwright_app.settings import Settings

CALLBACK = "/api/auth/oidc/callback"
Database = psycopg.Connection[dict[str, Any]]
Start = Callable[[Settings], RunningApp]


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[ProviderDouble]:
    with provider_double(tmp_path) as double:
        yield double


@dataclass
class Site:
    """An app that signs in at the provider."""

    app: RunningApp
    provider: ProviderDouble

    def browser(self) -> httpx.Client:
        """A browser: it keeps cookies, and follows nothing by itself."""
        return httpx.Client(base_url=self.app.url, timeout=20)

    def sign_in(self, browser: httpx.Client, **changes: str) -> str:
        """Signs in; returns where the page is sent."""
        back = self.provider.authorize(begin(browser)) | changes
        return come_back(browser, back)


def begin(browser: httpx.Client) -> str:
    answer = browser.get("/api/auth/oidc/start")
    assert answer.status_code == 303
    return str(answer.headers["location"])


def come_back(browser: httpx.Client, back: dict[str, str]) -> str:
    answer = browser.get(CALLBACK, params=back)
    assert answer.status_code == 303, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert ("rackwright_refresh" in answer.headers.get("set-cookie", "")) == (
        answer.headers["location"] == "/"
    )
    return str(answer.headers["location"])


def me(browser: httpx.Client) -> dict[str, Any]:
    given = browser.post("/api/auth/refresh")
    assert given.status_code == 200, given.text
    headers = {"Authorization": f"Bearer {given.json()['access_token']}"}
    return dict(browser.get("/api/auth/me", headers=headers).json())


@pytest.fixture
def make_site(
    settings: Settings, start_app: Start, provider: ProviderDouble, database: Database
) -> Callable[..., Site]:
    database.execute("TRUNCATE users CASCADE")

    def made(sign_in: dict[str, object] | None = None, **oidc: object) -> Site:
        changed = settings.model_dump()
        changed["sign_in"] |= {"secure_cookie": False} | (sign_in or {})
        changed["oidc"] = provider.settings(**oidc)
        return Site(start_app(Settings.model_validate(changed)), provider)

    return made


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site()


@pytest.fixture
def browser(site: Site) -> Iterator[httpx.Client]:
    with site.browser() as made:
        yield made
