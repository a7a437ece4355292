"""The page as its users meet it: in Chromium, through the site's own edge, which its authority vouches for.

The weights behind it are random, so an answer's words prove nothing; its sources are what was searched for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from browser import PASSWORD, USER, WELCOME, ask, look_in_every_way, opened, shot, sign_in, trusting
from conftest import PROGRAM
from machines import SOURCES, Machines

from rackwright.pki.authority import Authority
from rackwright.pki.location import pki_directory
from rackwright.secrets.token import AUDIENCE, ISSUER
from rackwright.site.inventory import Inventory

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route
else:
    Browser = Page = Route = object
playwright = pytest.importorskip("playwright.sync_api", reason="make molecule-app installs it")
# From the user's documents, where there are some by then.
QUESTION = re.compile(r"/api/(chat|rag/query)$")
COOLING = "# Cooling\n\nThe chillers hold the cold aisle at eighteen degrees."


@pytest.fixture(scope="module")
def browser(
    machines: Machines,
    inventory: Inventory,
    at_the_client: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Browser]:
    """Chromium of a user outside, whose computer trusts the site's authority and finds its names."""
    names = f"MAP *.{inventory.hosts['edge1'].variables['domain']} {machines.addresses['edge1']}"
    ca = Authority(pki_directory(SOURCES)).certificate_path
    with trusting(tmp_path_factory.mktemp("home"), [names], ca, program=at_the_client) as started:
        yield started


@pytest.fixture(scope="module")
def address(machines: Machines, inventory: Inventory) -> str:
    """Where the page is; its user is made anew."""
    for command in (f"user add {USER}", f"user password {USER}"):
        machines.inside("app1", f"{PROGRAM} {command}", data=f"{PASSWORD}\n", check=False)
    return f"https://ai.{inventory.hosts['edge1'].variables['domain']}"


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with opened(browser, address) as made:
        yield made


@pytest.fixture(scope="module")
def expired(inventory: Inventory) -> str:
    """A token that the app signed, and whose time is over."""
    over = datetime.now(UTC) - timedelta(hours=1)
    claims = {"sub": USER, "role": "user", "iss": ISSUER, "aud": AUDIENCE, "jti": "over"}
    claims |= {"iat": over - timedelta(hours=1), "exp": over}
    return jwt.encode(claims, str(inventory.hosts["app1"].variables["vault_jwt_secret"]), algorithm="HS256")


def test_a_wrong_password_is_said_and_a_right_one_opens(page: Page) -> None:
    expect = playwright.expect
    sign_in(page, "not the password")
    expect(page.get_by_role("alert")).to_have_text("User or password is wrong.")
    shot(page, "edge-sign-in")
    sign_in(page)
    expect(page.get_by_text(WELCOME)).to_be_visible()
    page.reload()
    expect(page.get_by_text(WELCOME)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Password")).to_be_visible()


def test_an_answer_grows_before_the_eyes(page: Page) -> None:
    expect = playwright.expect
    sign_in(page)
    expect(page.get_by_text(WELCOME)).to_be_visible()
    # Every length that the newest answer has had.
    page.evaluate(
        """() => { new MutationObserver(() => {
            const answer = [...document.querySelectorAll(".message.assistant")].at(-1);
            if (answer) window.lengths.push(answer.innerText.length);
        }).observe(document.body, {subtree: true, childList: true, characterData: true}); }"""
    )
    lengths: list[int] = []
    # Of random weights, and so of any length: one that is long enough to be seen growing is waited for.
    for _ in range(8):
        page.evaluate("window.lengths = []")
        ask(page, "What is a rack?")
        expect(page.get_by_role("button", name="Stop")).to_be_hidden(timeout=60_000)
        lengths = page.evaluate("window.lengths")
        if max(lengths) > 40:
            break
    assert max(lengths) > 40
    assert len(set(lengths)) > 5
    expect(page.get_by_role("button", name="What is a rack?")).to_be_visible()


def test_a_document_is_uploaded_and_its_piece_shown_in_every_way(page: Page, tmp_path: Path) -> None:
    expect = playwright.expect
    sign_in(page)
    expect(page.get_by_text(WELCOME)).to_be_visible()
    document = tmp_path / "cooling.md"
    document.write_text(COOLING)
    page.locator("#file").set_input_files(str(document))
    expect(page.get_by_text("cooling.md is ready.")).to_be_visible(timeout=30_000)
    expect(page.get_by_label("Answer from my documents")).to_be_checked()
    ask(page, "The chillers hold the cold aisle at eighteen degrees?")
    source = page.locator(".sources summary").first
    expect(source).to_contain_text("cooling.md", timeout=60_000)
    source.click()
    expect(page.locator("blockquote").first).to_contain_text("eighteen degrees")
    look_in_every_way(page, "edge-")


def test_an_expired_token_is_renewed_silently_and_at_last_asks_for_the_password(
    page: Page, machines: Machines, expired: str
) -> None:
    expect = playwright.expect
    sign_in(page)
    expect(page.get_by_text(WELCOME)).to_be_visible()
    statuses: list[int] = []

    def note(answer: Any) -> None:  # noqa: ANN401 - Playwright's, which may not be installed
        if QUESTION.search(answer.url):
            statuses.append(answer.status)

    def too_late(route: Route) -> None:
        route.continue_(headers={**route.request.headers, "authorization": f"Bearer {expired}"})

    page.on("response", note)
    page.route(QUESTION, too_late, times=1)
    ask(page, "Still here?")
    expect(page.locator(".message.assistant")).not_to_be_empty(timeout=60_000)
    expect(page.get_by_role("button", name="Stop")).to_be_hidden(timeout=60_000)
    assert statuses == [401, 200]
    gone = "DELETE FROM refresh_tokens"
    machines.inside("data1", f"runuser -u postgres -- psql -d ai_platform -c '{gone}'")
    page.route(QUESTION, too_late, times=1)
    ask(page, "And now?")
    expect(page.get_by_role("alert")).to_have_text(re.compile("signed out"))
    assert statuses == [401, 200, 401]
