"""Signing in at an identity provider, for a page: what holds, and what somebody might try."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from app_server import RunningApp, eventually
from at_provider import CALLBACK, Database, Site, begin, come_back, me
from provider_double import CLIENT, SECRET, ProviderDouble

from rackwright_app.users import provider as asked_provider
from rackwright_app.users.passwords import hashed

PHRASE = "a long pass phrase"


def test_a_browser_is_sent_there_and_comes_back_signed_in(site: Site, browser: httpx.Client) -> None:
    where = begin(browser)
    asked = dict(parse_qsl(urlsplit(where).query))
    assert where.startswith(f"{site.provider.issuer}/authorize?")
    assert asked["tenant"] == "one"
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert asked["scope"] == "openid profile"
    assert len(asked["state"]) >= 43
    assert come_back(browser, site.provider.authorize(where)) == "/"
    assert me(browser) == {"user": "oidc:wang", "role": "admin", "provider": True}
    (exchange,) = site.provider.exchanges
    user, _, secret = (
        base64.b64decode(exchange["authorization"].removeprefix("Basic ")).decode().partition(":")
    )
    assert (user, secret) == (CLIENT, SECRET.replace(" ", "+").replace("/", "%2F").replace(":", "%3A"))
    assert "client_secret" not in exchange


def test_code_and_state_are_written_nowhere(site: Site, browser: httpx.Client) -> None:
    back = site.provider.authorize(begin(browser))
    come_back(browser, back)

    def of_the_callback() -> list[dict[str, Any]]:
        return [line for line in site.app.audit_lines() if line["path"] == CALLBACK]

    eventually(lambda: len(of_the_callback()) == 1)
    (line,) = of_the_callback()
    assert line["query"] == dict.fromkeys(("code", "state", "iss"), "***")
    assert back["code"] not in json.dumps(site.app.audit_lines())


def test_an_answer_counts_once(site: Site, browser: httpx.Client) -> None:
    back = site.provider.authorize(begin(browser))
    kept = dict(browser.cookies)
    assert come_back(browser, back) == "/"
    with site.browser() as again:
        again.cookies.update(kept)
        assert come_back(again, back) == "/?sign-in=expired"
    assert site.provider.asked["/token"] == 1


def test_somebody_lured_with_anothers_code_is_not_signed_in(site: Site, browser: httpx.Client) -> None:
    with site.browser() as attacker:
        back = site.provider.authorize(begin(attacker))
        begin(browser)
        assert come_back(browser, back) == "/?sign-in=expired"
        # Nor is the attacker any more: what was begun is gone.
        assert come_back(attacker, back) == "/?sign-in=expired"
    assert site.provider.asked["/token"] == 0


def test_a_forged_state_is_nobodys(site: Site, browser: httpx.Client) -> None:
    for state in ("", "forged", "x" * 43, "\u4f60\u597d", "' OR 1=1 --"):
        assert site.sign_in(browser, state=state) == "/?sign-in=expired"
    assert site.provider.asked["/token"] == 0


def test_what_was_planted_in_a_browser_does_not_outlast_signing_in(site: Site, browser: httpx.Client) -> None:
    planted = {"rackwright_begun": "planted", "rackwright_refresh": "planted"}
    for name, path in (("rackwright_begun", "/"), ("rackwright_refresh", "/api/auth")):
        browser.cookies.set(name, planted[name], domain="127.0.0.1", path=path)
    assert site.sign_in(browser) == "/"
    values = {cookie.value for cookie in browser.cookies.jar if cookie.domain == "127.0.0.1"}
    assert "planted" not in values
    assert "rackwright_begun" not in {cookie.name for cookie in browser.cookies.jar}


def test_the_cookie_is_this_hosts_alone_where_tls_is(make_site: Callable[..., Site]) -> None:
    site = make_site(sign_in={"secure_cookie": True})
    with site.browser() as browser:
        answer = browser.get("/api/auth/oidc/start")
        set_cookie = answer.headers["set-cookie"].lower()
        assert set_cookie.startswith("__host-rackwright_begun=")
        for wanted in ("secure", "httponly", "samesite=lax", "path=/", "max-age=600"):
            assert wanted in set_cookie
        back = site.provider.authorize(answer.headers["location"])
        begun = set_cookie.split(";")[0]
        plain = {"Cookie": answer.headers["set-cookie"].split(";")[0].replace("__Host-", "")}
        assert begun
        assert browser.get(CALLBACK, params=back, headers=plain).headers["location"] == "/?sign-in=expired"


def test_what_the_provider_says_instead_of_a_code(site: Site, browser: httpx.Client) -> None:
    assert site.sign_in(browser, error="access_denied") == "/?sign-in=cancelled"
    assert site.sign_in(browser, error="server_error") == "/?sign-in=failed"
    assert site.sign_in(browser, iss="https://login.example.com") == "/?sign-in=failed"
    assert site.sign_in(browser, iss="") == "/?sign-in=failed"
    assert site.sign_in(browser, code="invented") == "/?sign-in=failed"
    # What is far too long is no answer of a provider's.
    assert browser.get(CALLBACK, params={"state": "x" * 5000}).status_code == 400


def test_groups_become_roles(make_site: Callable[..., Site]) -> None:
    site = make_site(others="none", role_claim="realm.groups")
    found: dict[str, str] = {}
    for number, groups in enumerate((["platform"], ["staff"], "staff", ["visitors"], [], None)):
        site.provider.changes = {
            "groups": None,
            "realm": {"groups": groups},
            "sub": f"s{number}",
            "preferred_username": f"person{number}",
        }
        with site.browser() as browser:
            where = site.sign_in(browser)
            found[str(groups)] = me(browser)["role"] if where == "/" else where
    assert found == {
        "['platform']": "admin",
        "['staff']": "user",
        "staff": "user",
        "['visitors']": "/?sign-in=refused",
        "[]": "/?sign-in=refused",
        "None": "/?sign-in=refused",
    }


def test_what_the_id_token_leaves_out_is_asked_for(site: Site, browser: httpx.Client) -> None:
    site.provider.changes = {"groups": None, "preferred_username": None}
    site.provider.userinfo = {"sub": "f3b1", "preferred_username": "li", "groups": ["platform"]}
    assert site.sign_in(browser) == "/"
    assert me(browser) == {"user": "oidc:li", "role": "admin", "provider": True}
    site.provider.userinfo["sub"] = "somebody else"
    assert site.sign_in(browser) == "/?sign-in=failed"


def test_a_name_stays_whose_it_was_first(site: Site, browser: httpx.Client, database: Database) -> None:
    assert site.sign_in(browser) == "/"
    site.provider.changes = {"sub": "another person"}
    assert site.sign_in(browser) == "/?sign-in=refused"
    # Somebody who was renamed keeps what is kept by the name.
    site.provider.changes = {"preferred_username": "wang.fang", "groups": ["staff"]}
    assert site.sign_in(browser) == "/"
    assert me(browser) == {"user": "oidc:wang", "role": "user", "provider": True}
    (row,) = database.execute("SELECT password_hash, subject FROM users").fetchall()
    assert row == {"password_hash": None, "subject": "f3b1"}


def test_whoever_is_shut_out_here_stays_out(site: Site, browser: httpx.Client, database: Database) -> None:
    assert site.sign_in(browser) == "/"
    database.execute("UPDATE users SET disabled = true")
    assert browser.post("/api/auth/refresh").status_code == 401
    assert site.sign_in(browser) == "/?sign-in=refused"


def test_after_some_hours_the_provider_is_asked_again_however_busy_the_page_is(
    site: Site, browser: httpx.Client, database: Database
) -> None:
    assert site.sign_in(browser) == "/"
    assert browser.post("/api/auth/refresh").status_code == 200
    ends = database.execute(
        "SELECT count(*) AS tokens, count(DISTINCT ends_at) AS ends, bool_and(expires_at <= ends_at) AS held,"
        " max(ends_at) - now() AS rest FROM refresh_tokens"
    ).fetchone()
    assert ends is not None
    assert (ends["tokens"], ends["ends"], ends["held"]) == (2, 1, True)
    assert 11.9 < ends["rest"].total_seconds() / 3600 <= 12
    database.execute("UPDATE refresh_tokens SET expires_at = now(), ends_at = now()")
    assert browser.post("/api/auth/refresh").status_code == 401


def test_a_password_opens_nothing_for_a_user_of_the_provider(site: Site, browser: httpx.Client) -> None:
    assert site.sign_in(browser) == "/"
    answer = browser.post("/api/auth/login", json={"user": "oidc:wang", "password": "a long pass phrase"})
    assert answer.status_code == 401


def test_a_site_may_have_one_way_alone(
    make_site: Callable[..., Site], app: RunningApp, database: Database
) -> None:
    database.execute(
        "INSERT INTO users (name, role, password_hash) VALUES ('alice', 'user', %s)", (hashed(PHRASE),)
    )
    with make_site().browser() as browser, make_site(sign_in={"password": False}).browser() as other:
        assert browser.post("/api/auth/login", json={"user": "alice", "password": PHRASE}).status_code == 200
        other.cookies.update(browser.cookies)
        assert other.post("/api/auth/refresh").status_code == 401
    with make_site(sign_in={"password": False}).browser() as browser:
        assert browser.get("/api/auth/methods").json() == {"password": False, "provider": True}
        answer = browser.post("/api/auth/login", json={"user": "alice", "password": PHRASE})
        assert answer.status_code == 401
    with httpx.Client(base_url=app.url) as browser:
        assert browser.get("/api/auth/methods").json() == {"password": True, "provider": False}
        for path in ("start", "callback", "end"):
            assert browser.get(f"/api/auth/oidc/{path}").json()["error"]["code"] == "no_identity_provider"


def test_signing_out_leads_to_the_provider(site: Site, browser: httpx.Client) -> None:
    where = browser.get("/api/auth/oidc/end").headers["location"]
    assert where.startswith(f"{site.provider.issuer}/end?")
    assert dict(parse_qsl(urlsplit(where).query)) == {
        "client_id": CLIENT,
        "post_logout_redirect_uri": "https://ai.example.internal/",
    }


def test_a_provider_that_is_away_or_another_is_said(
    make_site: Callable[..., Site], provider: ProviderDouble
) -> None:
    provider.document = {"issuer": "https://login.example.com"}
    with make_site().browser() as browser:
        assert begin(browser) == "/?sign-in=unavailable"
        assert browser.get("/api/auth/oidc/end").headers["location"] == "/"
    provider.document = {"token_endpoint": "http://localhost/token"}
    with make_site().browser() as browser:
        assert begin(browser) == "/?sign-in=unavailable"
    with make_site(issuer="https://localhost:1").browser() as browser:
        assert begin(browser) == "/?sign-in=unavailable"


def test_a_key_that_was_rotated_is_asked_for(
    site: Site, browser: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked_provider, "_ASK_AGAIN_SECONDS", 0)
    assert site.sign_in(browser) == "/"
    site.provider.rotate()
    assert site.sign_in(browser) == "/"
    assert site.provider.asked["/certs"] == 2
    assert site.provider.asked["/.well-known/openid-configuration"] == 1


def test_it_is_found_by_its_address_and_known_by_its_name(make_site: Callable[..., Site]) -> None:
    # Its certificate is for the name: by the address alone it would not be believed.
    with make_site(address="127.0.0.1").browser() as browser:
        assert begin(browser).startswith("https://localhost:")
    with make_site(address="127.0.0.2").browser() as browser:
        assert begin(browser) == "/?sign-in=unavailable"
