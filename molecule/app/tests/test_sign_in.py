"""Signing in at a real identity provider, in Chromium, through the site's own edge and firewalls."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from browser import WELCOME, ask, opened, shot, trusting
from certificates import Certificate
from conftest import PROGRAM
from identity_provider import started
from machines import SOURCES, Machines

from rackwright.pki.authority import Authority
from rackwright.pki.location import pki_directory
from rackwright.site.inventory import Inventory

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
else:
    Browser = Page = object
playwright = pytest.importorskip("playwright.sync_api", reason="make molecule-app installs it")
BUTTON = "Sign in with your work account"
PORT, ACCESS_SECONDS = 8643, 10
PEOPLE = {
    "li": {"preferred_username": "li", "groups": ["platform-team"]},
    "wang": {"preferred_username": "wang", "groups": ["staff"]},
    "guest": {"preferred_username": "guest", "groups": ["visitors"]},
}


@dataclass(frozen=True)
class Place:
    """Where the page and the provider are, as the inventory has them."""

    page: str
    domain: str
    edge: str
    provider: dict[str, Any]
    secret: str
    tls: Certificate

    def program_token(self, resource: str) -> str:
        """Returns an access token of the provider's for a program."""
        with httpx.Client(verify=False) as client:  # noqa: S501 - the name is not one of this computer's
            answer = client.post(
                f"https://{self.provider['address']}:{PORT}/token",
                headers={"Host": f"login.{self.domain}:{PORT}"},
                data={"grant_type": "client_credentials", "resource": resource},
                auth=("robot", self.secret),
            )
        return str(answer.raise_for_status().json()["access_token"])


@pytest.fixture(scope="module")
def place(
    machines: Machines, inventory: Inventory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    variables = inventory.hosts["app1"].variables
    domain, provider = str(variables["domain"]), dict(variables["sign_in_provider"])
    page, secret = f"https://ai.{domain}", str(variables["vault_sign_in_client_secret"])
    client = {
        "client_id": provider["client"],
        "client_secret": secret,
        "redirect_uris": [f"{page}/api/auth/oidc/callback"],
        "post_logout_redirect_uris": [f"{page}/"],
    }
    robot = {
        "client_id": "robot",
        "client_secret": secret,
        "redirect_uris": [],
        "response_types": [],
        "grant_types": ["client_credentials"],
    }
    tls = Certificate.within(Path(str(provider["authority"])).parent)
    with started(
        tmp_path_factory.mktemp("provider"),
        tls,
        issuer=provider["issuer"],
        address=provider["address"],
        port=PORT,
        clients=[client, robot],
        people=PEOPLE,
        access_seconds=ACCESS_SECONDS,
    ):
        yield Place(page, domain, machines.addresses["edge1"], provider, secret, tls)


@pytest.fixture(scope="module")
def browser(place: Place, at_the_client: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    names = [f"MAP login.{place.domain} {place.provider['address']}", f"MAP *.{place.domain} {place.edge}"]
    ours = Authority(pki_directory(SOURCES)).certificate_path
    home = tmp_path_factory.mktemp("home")
    with trusting(home, names, ours, place.tls.authority, program=at_the_client) as made:
        yield made


@pytest.fixture
def page(browser: Browser, place: Place) -> Iterator[Page]:
    with opened(browser, place.page) as made:
        yield made


def apps(machines: Machines) -> list[str]:
    """The hosts that run the app."""
    return [host.name for host in machines.site.group_hosts("app")]


def sign_in_there(page: Page, person: str) -> None:
    page.get_by_role("link", name=BUTTON).click()
    page.get_by_label("Account").fill(person)
    page.get_by_role("button", name="Go on").click()


def test_the_provider_is_open_to_the_apps_hosts_alone(machines: Machines, place: Place) -> None:
    address = place.provider["address"]
    script = f"timeout 5 bash -c '</dev/tcp/{address}/{PORT}' && echo open || echo shut"
    found = {host: machines.inside(host, script) for host in (*apps(machines), "edge1", "data1")}
    assert found == {host: "open" if host in apps(machines) else "shut" for host in found}


def test_somebody_signs_in_chats_and_leaves_both(page: Page, place: Place, machines: Machines) -> None:
    expect = playwright.expect
    expect(page.get_by_role("link", name=BUTTON)).to_be_visible()
    shot(page, "edge-provider")
    sign_in_there(page, "li")
    expect(page.get_by_text(WELCOME)).to_be_visible()
    assert page.url == f"{place.page}/"
    assert page.evaluate("document.cookie") == ""
    cookies = {
        cookie["name"]: cookie for cookie in page.context.cookies() if "rackwright" in str(cookie["name"])
    }
    assert {name: (each["httpOnly"], each["secure"], each["sameSite"]) for name, each in cookies.items()} == {
        "rackwright_refresh": (True, True, "Strict")
    }
    ask(page, "What is a rack?")
    expect(page.get_by_role("button", name="Stop")).to_be_hidden(timeout=60_000)
    expect(page.locator("#who")).to_have_text("li")
    page.reload()
    expect(page.get_by_text(WELCOME)).to_be_visible()
    # `grep` alone fails when it is not there.
    machines.inside("app1", f"{PROGRAM} user list | grep -qP 'oidc:li\\tadmin\\tenabled'")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Leave").click()
    expect(page.get_by_role("link", name=BUTTON)).to_be_visible()
    page.get_by_role("link", name=BUTTON).click()
    expect(page.get_by_label("Account")).to_be_visible()


def test_whoever_has_no_role_here_is_told_so_in_either_language(page: Page) -> None:
    expect = playwright.expect
    sign_in_there(page, "guest")
    expect(page.get_by_role("alert")).to_contain_text("may not use this service")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("alert")).to_contain_text("无权使用本服务")
    shot(page, "edge-provider-refused")


def test_forged_and_used_answers_sign_nobody_in(page: Page, machines: Machines) -> None:
    expect = playwright.expect
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/oidc/callback" in request.url else None)
    sign_in_there(page, "wang")
    expect(page.get_by_text(WELCOME)).to_be_visible()
    (used,) = asked
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Leave").click()
    expect(page.get_by_role("link", name=BUTTON)).to_be_visible()
    for address in (used, used.replace("state=", "state=x")):
        page.goto(address)
        expect(page.get_by_role("alert")).to_contain_text("begun elsewhere")
    code = httpx.URL(used).params["code"]
    for host in (*apps(machines), "edge1"):
        assert machines.inside(host, f"grep -rlF {code} /var/log || true") == ""
        assert machines.inside(host, f"journalctl --no-pager | grep -cF {code} || true") == "0"


def test_access_tokens_of_it_hold_for_this_api_alone_and_for_their_time(place: Place) -> None:
    trust = ssl.create_default_context(cafile=Authority(pki_directory(SOURCES)).certificate_path)
    mine = place.program_token(place.provider["audience"])
    others = place.program_token("https://elsewhere.example/")

    def asked(token: str) -> tuple[int, str]:
        with httpx.Client(verify=trust, base_url=f"https://{place.edge}") as client:
            answer = client.get(
                "/api/auth/me",
                headers={"Authorization": f"Bearer {token}", "Host": f"api.{place.domain}"},
                extensions={"sni_hostname": f"api.{place.domain}"},
            )
        return answer.status_code, answer.text

    status, told = asked(mine)
    assert status == 200, told
    assert '"oidc:robot"' in told
    assert asked(others)[0] == 401
    assert "not valid" in asked(others)[1]
    time.sleep(ACCESS_SECONDS + 7)
    assert "has expired" in asked(mine)[1]
