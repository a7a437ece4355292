"""Tokens of an identity provider that are not as they should be, and settings that would let them pass."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import jwt
import pytest
from at_provider import Site, begin, come_back, me
from cryptography.hazmat.primitives.asymmetric import rsa
from provider_double import CLIENT, SECRET, ProviderDouble
from pydantic import ValidationError

from rackwright_app.errors import UnavailableError
from rackwright_app.settings import Settings
from rackwright_app.users import provider as asked_provider
from rackwright_app.users.provider import Provider
from rackwright_app.users.settings import Oidc

OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def unsigned(token: str) -> str:
    head = base64.urlsafe_b64encode(b'{"alg":"none","kid":"k1"}').decode().rstrip("=")
    return f"{head}.{token.split('.')[1]}."


def confused(token: str) -> str:
    """Signed by the public key as though it were a shared secret."""
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"k1"}').decode().rstrip("=")
    return f"{head}.{token.split('.')[1]}.{'A' * 43}"


def signed_by_another(token: str) -> str:
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode(claims, OTHER, algorithm="RS256", headers={"kid": "k1"})


NOT_AS_IT_SHOULD_BE: tuple[dict[str, Any], ...] = (
    {"aud": "another client"},
    {"aud": [CLIENT, "another client"]},
    {"aud": [CLIENT, "another client"], "azp": "another client"},
    {"azp": "another client"},
    {"iss": "https://login.example.com"},
    {"exp": 1},
    {"iat": 9_999_999_999, "nbf": 9_999_999_999},
    {"nonce": "another"},
    {"nonce": None},
    {"sub": None},
    {"preferred_username": "\r\nX-Injected: yes"},
    {"preferred_username": "n" * 124},
)


def test_an_id_token_that_is_not_as_it_should_be(site: Site, browser: httpx.Client) -> None:
    came_to: dict[str, str] = {}
    for changes in NOT_AS_IT_SHOULD_BE:
        site.provider.changes = changes
        came_to[str(changes)] = site.sign_in(browser)
    assert came_to == dict.fromkeys(came_to, "/?sign-in=failed")
    assert site.provider.asked["/token"] == len(NOT_AS_IT_SHOULD_BE)
    assert browser.post("/api/auth/refresh").status_code == 401
    site.provider.changes = {"preferred_username": "n" * 123}
    assert site.sign_in(browser) == "/"
    assert me(browser)["user"] == "oidc:" + "n" * 123


def test_an_id_token_that_nobody_signed(site: Site, browser: httpx.Client) -> None:
    def sign_in(forge: Callable[[str], str]) -> str:
        where = begin(browser)
        nonce = dict(parse_qsl(urlsplit(where).query))["nonce"]
        site.provider.forged = forge(site.provider.token(aud=CLIENT, nonce=nonce))
        return come_back(browser, site.provider.authorize(where))

    assert sign_in(str) == "/"
    for forge in (unsigned, confused, signed_by_another, lambda _: "nonsense"):
        assert sign_in(forge) == "/?sign-in=failed"


def test_access_tokens_of_a_provider_are_checked_by_its_keys(site: Site, provider: ProviderDouble) -> None:
    def asked(token: str) -> httpx.Response:
        return httpx.get(f"{site.app.url}/api/auth/me", headers={"Authorization": f"Bearer {token}"})

    assert asked(provider.token()).json() == {"user": "oidc:wang", "role": "admin", "provider": True}
    assert asked(provider.token(groups=[])).json()["role"] == "user"
    refused = {
        "another audience": provider.token(aud="other"),
        "an ID token": provider.token(aud=CLIENT),
        "expired": provider.token(exp=int(time.time()) - 60),
        "another key": signed_by_another(provider.token()),
        "no signature": unsigned(provider.token()),
        "the public key as a secret": confused(provider.token()),
        "no subject": provider.token(sub=None),
    }
    assert {name: asked(token).status_code for name, token in refused.items()} == dict.fromkeys(refused, 401)
    assert provider.asked["/certs"] == 1


def test_without_an_audience_no_token_of_the_provider_counts(
    make_site: Callable[..., Site], provider: ProviderDouble
) -> None:
    site = make_site(audience="")
    for token in (provider.token(), provider.token(aud=CLIENT), provider.token(aud="")):
        answer = httpx.get(f"{site.app.url}/api/auth/me", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401


def test_who_comes_while_the_provider_is_away_does_not_wait_for_it_each_time(
    provider: ProviderDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = provider.told("/certs")
    asked: list[str] = []
    away, now = [True], [0.0]
    monkeypatch.setattr(asked_provider, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(503) if away[0] else httpx.Response(200, json=known)

    async def ask() -> None:
        settings = Oidc.model_validate(provider.settings(jwks_url="https://login.example.com/certs"))
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            one = Provider(settings, client)
            key_id = jwt.get_unverified_header(provider.token())["kid"]
            for _ in range(3):
                with pytest.raises(UnavailableError):
                    await one.key(key_id)
            assert len(asked) == 1
            away[0], now[0] = False, 6.0
            assert (await one.key(key_id)).key_id == key_id
            away[0], now[0] = True, 700.0
            for _ in range(3):
                assert (await one.key(key_id)).key_id == key_id
            assert len(asked) == 3, "the keys that it published serve on, and it is asked once in a while"

    asyncio.run(ask())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"issuer": "http://login.example.com"}, "issuer"),
        ({"jwks_url": "http://login.example.com/certs"}, "jwks_url"),
        ({"roles": {"platform": "root"}}, "roles"),
        ({"algorithms": ["HS256"]}, "algorithms"),
        ({"client": {"id": CLIENT, "secret": "", "redirect_uri": "https://a.b/c"}}, "secret"),
        ({"client": {"id": CLIENT, "secret": SECRET, "redirect_uri": "http://a.b/c"}}, "redirect_uri"),
        (
            {
                "client": {
                    "id": CLIENT,
                    "secret": SECRET,
                    "redirect_uri": "https://a.b/c",
                    "scopes": ["email"],
                }
            },
            "scopes",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_settings_that_would_open_a_door_are_refused(
    settings: Settings, provider: ProviderDouble, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValidationError, match=told):
        Settings.model_validate(settings.model_dump() | {"oidc": provider.settings(**changes)})
