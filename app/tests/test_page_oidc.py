"""The page signs in at a real identity provider, in a browser (``make test-page``; needs npm as well)."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest
from app_server import RunningApp
from browser import WELCOME, ask, opened, shot, trusting
from certificates import Certificate, certificate
from identity_provider import started
from page_edge import served
from stores import free_port

from rackwright_app.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route
else:
    Browser = Page = Route = object
playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.page
DOMAIN, SECRET, API = "example.internal", "s" * 48, "https://api.example.internal/"
PEOPLE = {
    "wang": {"preferred_username": "wang", "groups": ["staff"]},
    "stranger": {"preferred_username": "stranger", "groups": ["visitors"]},
}
ACCESS_SECONDS = 8
BUTTON = "Sign in with your work account"


class OnLoopback(httpx.HTTPTransport):
    """Finds every name on loopback."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request."""
        where = request.url.copy_with(host="127.0.0.1")
        more = {**request.extensions, "sni_hostname": request.url.host}
        headers, stream = request.headers, request.stream
        # The request itself stays as it is: cookies are kept by its name.
        return super().handle_request(
            httpx.Request(request.method, where, headers=headers, stream=stream, extensions=more)
        )


@dataclass(frozen=True)
class Place:
    """Where the page and the provider are."""

    page: str
    issuer: str
    app: RunningApp
    tls: Certificate

    def trust(self) -> ssl.SSLContext:
        """What vouches for both."""
        return ssl.create_default_context(cafile=self.tls.authority)

    def token(self, resource: str) -> str:
        """Returns an access token of the provider's for a program."""
        with httpx.Client(transport=OnLoopback(verify=self.trust())) as client:
            answer = client.post(
                f"{self.issuer}/token",
                data={"grant_type": "client_credentials", "resource": resource},
                auth=("robot", SECRET),
            )
        return str(answer.raise_for_status().json()["access_token"])


@pytest.fixture
def place(
    settings: Settings,
    start_app: Callable[[Settings], RunningApp],
    database: psycopg.Connection[dict[str, Any]],
    tmp_path: Path,
) -> Iterator[Place]:
    database.execute("TRUNCATE users CASCADE")
    tls = certificate(tmp_path, f"ai.{DOMAIN}", f"login.{DOMAIN}")
    ports = free_port(), free_port()
    page, issuer = f"https://ai.{DOMAIN}:{ports[0]}", f"https://login.{DOMAIN}:{ports[1]}"
    callback = f"{page}/api/auth/oidc/callback"
    clients = [
        {
            "client_id": "rackwright",
            "client_secret": SECRET,
            "redirect_uris": [callback],
            "post_logout_redirect_uris": [f"{page}/"],
        },
        {
            "client_id": "robot",
            "client_secret": SECRET,
            "redirect_uris": [],
            "response_types": [],
            "grant_types": ["client_credentials"],
        },
    ]
    oidc = {
        "issuer": issuer,
        "audience": API,
        "address": "127.0.0.1",
        "ca": tls.authority,
        "user_claim": "preferred_username",
        "role_claim": "groups",
        "roles": {"staff": "user"},
        "client": {"id": "rackwright", "secret": SECRET, "redirect_uri": callback},
    }
    with started(
        tmp_path,
        tls,
        issuer=issuer,
        address="127.0.0.1",
        port=ports[1],
        clients=clients,
        people=PEOPLE,
        access_seconds=ACCESS_SECONDS,
    ):
        tokens = settings.tokens.model_dump() | {"leeway_seconds": 0}
        app = start_app(Settings.model_validate(settings.model_dump() | {"oidc": oidc, "tokens": tokens}))
        with served(app.url, tmp_path, ports[0], tls):
            yield Place(page, issuer, app, tls)


@pytest.fixture
def browser(place: Place, tmp_path: Path) -> Iterator[Browser]:
    with trusting(tmp_path / "home", [f"MAP *.{DOMAIN} 127.0.0.1"], place.tls.authority) as made:
        yield made


@pytest.fixture
def page(browser: Browser, place: Place) -> Iterator[Page]:
    with opened(browser, place.page) as made:
        yield made


def sign_in_there(page: Page, person: str = "wang") -> None:
    page.get_by_role("link", name=BUTTON).click()
    page.get_by_label("Account").fill(person)
    page.get_by_role("button", name="Go on").click()


def test_somebody_signs_in_at_the_provider_chats_and_leaves_both(page: Page, place: Place) -> None:
    expect = playwright.expect
    expect(page.get_by_role("link", name=BUTTON)).to_be_visible()
    for name, press in (("light", ""), ("dark", "Light or dark"), ("chinese", "中文")):
        if press:
            page.get_by_role("button", name=press).click()
        shot(page, f"sign-in-provider-{name}")
    expect(page.get_by_role("link", name="使用单位统一账号登录")).to_be_visible()
    page.set_viewport_size({"width": 380, "height": 780})
    shot(page, "sign-in-provider-phone")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="English").click()
    sign_in_there(page)
    expect(page.get_by_text(WELCOME)).to_be_visible()
    assert page.url == f"{place.page}/"
    assert page.evaluate("document.cookie") == ""
    assert page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})").count("ey") == 0
    ask(page, "Hello")
    expect(page.locator(".message.assistant")).to_have_text("Good day to all.")
    page.reload()
    expect(page.get_by_text(WELCOME)).to_be_visible()
    page.set_viewport_size({"width": 1200, "height": 800})
    expect(page.locator("#who")).to_have_text("wang")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Leave").click()
    expect(page.get_by_role("link", name=BUTTON)).to_be_visible()
    # The provider has forgotten as well: it asks who it is.
    page.get_by_role("link", name=BUTTON).click()
    expect(page.get_by_label("Account")).to_be_visible()


def test_who_leaves_at_once_leaves_the_provider_as_well(page: Page) -> None:
    expect = playwright.expect

    def late(route: Route) -> None:
        page.wait_for_timeout(1500)
        route.continue_()

    page.route("**/api/auth/me", late)
    sign_in_there(page)
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Leave").click()
    expect(page.get_by_role("link", name=BUTTON)).to_be_visible()


def test_who_cannot_be_told_apart_is_asked_to_sign_in(page: Page) -> None:
    expect = playwright.expect
    page.route("**/api/auth/me", lambda route: route.abort("internetdisconnected"))
    sign_in_there(page)
    expect(page.get_by_role("link", name=BUTTON)).to_be_visible()


def test_what_came_of_it_is_said_in_either_language(page: Page, place: Place) -> None:
    expect = playwright.expect
    alert = page.get_by_role("alert")
    page.get_by_role("link", name=BUTTON).click()
    page.get_by_role("button", name="Cancel").click()
    expect(alert).to_have_text("Signing in was cancelled.")
    assert page.url == f"{place.page}/"
    page.get_by_role("button", name="中文").click()
    expect(alert).to_have_text("已取消登录。")
    shot(page, "sign-in-provider-cancelled")


def test_a_forged_state_and_a_code_that_was_used_sign_nobody_in(page: Page, place: Place) -> None:
    expect = playwright.expect
    alert = page.get_by_role("alert")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/oidc/callback" in request.url else None)
    sign_in_there(page)
    expect(page.get_by_text(WELCOME)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Leave").click()
    expect(page.get_by_role("link", name=BUTTON)).to_be_visible()
    (used,) = asked
    for address in (
        used,
        used.replace("state=", "state=x"),
        f"{place.page}/api/auth/oidc/callback?code=a&state=b",
    ):
        page.goto(address)
        expect(alert).to_contain_text("begun elsewhere")
        expect(page.get_by_label("Password")).to_be_visible()


def test_a_callback_for_somebody_else_is_of_no_use_here(page: Page, place: Place) -> None:
    """Somebody's own code, kept unused and sent to others as a link."""
    expect = playwright.expect
    with httpx.Client(transport=OnLoopback(verify=place.trust())) as attacker:
        where = attacker.get(f"{place.page}/api/auth/oidc/start").headers["location"]
        while not where.startswith(place.page):
            answer = attacker.get(where)
            if answer.is_success:
                answer = attacker.post(where, data={"account": "wang"})
            where = str(answer.next_request.url) if answer.next_request else pytest.fail(answer.text)
        page.goto(where)
        expect(page.get_by_role("alert")).to_contain_text("begun elsewhere")
        assert place.app.audit_lines()[-1]["user"] is None


def test_access_tokens_of_it_hold_for_this_api_alone_and_for_their_time(place: Place) -> None:
    def asked(token: str) -> int:
        answer = httpx.get(f"{place.app.url}/api/auth/me", headers={"Authorization": f"Bearer {token}"})
        return answer.status_code

    mine, others = place.token(API), place.token("https://other.example.internal/")
    assert asked(mine) == 200
    assert asked(others) == 401
    time.sleep(ACCESS_SECONDS + 1)
    assert asked(mine) == 401
