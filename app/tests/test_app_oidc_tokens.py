"""Tokens of an identity provider that are not as they should be, and settings that would let them pass."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import jwt
import pytest
from at_provider import Site, begin, come_back, me
from cryptography.hazmat.primitives.asymmetric import rsa
from provider_double import CLIENT, SECRET, ProviderDouble
from pydantic import ValidationError

from rackwright_app.settings import Settings

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
