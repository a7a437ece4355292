"""The page in a browser, as its users meet it (``make test-page``; needs chromium and nginx)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from app_server import RunningApp
from browser import PASSWORD, USER, WELCOME, ask, launched, look_in_every_way, opened, shot, sign_in
from engine_double import EngineDouble, Script
from page_edge import served

from rackwright_app.settings import Settings
from rackwright_app.users.passwords import hashed
from rackwright_app.users.settings import SignIn

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
else:
    Browser = Page = object
playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.page
SHORT = 4
"""Seconds that an access token holds here."""


@pytest.fixture
def address(settings: Settings, start_app: Callable[[Settings], RunningApp], tmp_path: Path) -> Iterator[str]:
    """Where the page is."""
    changed = settings.model_copy(
        update={
            "sign_in": SignIn.model_construct(
                access_minutes=SHORT / 60,  # type: ignore[arg-type]  # less than an operator may set
                refresh_hours=1,
                secure_cookie=True,
                tries=10,
            ),
            "tokens": settings.tokens.model_copy(update={"leeway_seconds": 0}),
        }
    )
    app = start_app(changed)
    with served(app.url, tmp_path) as port:
        yield f"http://localhost:{port}"


@pytest.fixture
def browser() -> Iterator[Browser]:
    with launched() as started:
        yield started


@pytest.fixture
def page(browser: Browser, address: str, database: psycopg.Connection[dict[str, Any]]) -> Iterator[Page]:
    """The page, and a user who may sign in."""
    database.execute("TRUNCATE users CASCADE")
    database.execute(
        "INSERT INTO users (name, role, password_hash) VALUES (%s, 'user', %s)", (USER, hashed(PASSWORD))
    )
    with opened(browser, address) as made:
        yield made


def test_a_wrong_password_is_said_and_a_right_one_opens(page: Page) -> None:
    expect = playwright.expect
    sign_in(page, "not the password")
    expect(page.get_by_role("alert")).to_have_text("User or password is wrong.")
    shot(page, "sign-in")
    sign_in(page)
    expect(page.get_by_text(WELCOME)).to_be_visible()
    assert page.evaluate("document.cookie") == ""
    assert page.evaluate("JSON.stringify({...localStorage})").count("ey") == 0
    page.reload()
    expect(page.get_by_text(WELCOME)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Password")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Password")).to_be_visible()


def test_a_chat_streams_and_is_kept(page: Page, engine: EngineDouble) -> None:
    expect = playwright.expect
    sign_in(page)
    engine.script = Script(pieces=["One ", "<b>two</b> ", "three."], pause_seconds=0.7)
    ask(page, "Count, please")
    answer = page.locator(".message.assistant")
    expect(answer).to_contain_text("One", timeout=3000)
    assert "three" not in answer.inner_text()
    expect(answer).to_have_text("One <b>two</b> three.")
    expect(page.get_by_role("button", name="Count, please")).to_be_visible()
    page.get_by_role("button", name="New conversation").click()
    page.get_by_role("button", name="Count, please").click()
    expect(page.locator(".message.assistant")).to_have_text("One <b>two</b> three.")
    engine.script = Script(pieces=["slow "] * 20, pause_seconds=0.5)
    ask(page, "Again")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Interrupted.")).to_be_visible()


def test_a_document_is_uploaded_and_cited_in_light_dark_and_small(
    page: Page, engine: EngineDouble, tmp_path: Path
) -> None:
    expect = playwright.expect
    sign_in(page)
    expect(page.get_by_text(WELCOME)).to_be_visible()
    document = tmp_path / "cooling.md"
    document.write_text("# Cooling\n\nThe chillers hold the cold aisle at eighteen degrees.")
    page.locator("#file").set_input_files(str(document))
    expect(page.get_by_text("cooling.md is ready.")).to_be_visible()
    expect(page.get_by_label("Answer from my documents")).to_be_checked()
    engine.script = Script(pieces=["The cold aisle is held at ", "eighteen degrees [1]."])
    ask(page, "At how many degrees is the cold aisle held?")
    cite = page.get_by_role("button", name="[1]")
    expect(cite).to_be_visible()
    cite.click()
    expect(page.locator("blockquote")).to_contain_text("eighteen degrees")
    look_in_every_way(page)


def test_an_expired_token_is_renewed_silently_and_at_last_asks_for_the_password(
    page: Page, database: psycopg.Connection[dict[str, Any]]
) -> None:
    expect = playwright.expect
    sign_in(page)
    expect(page.get_by_text(WELCOME)).to_be_visible()
    time.sleep(SHORT + 1)
    ask(page, "Still here?")
    expect(page.locator(".message.assistant")).to_have_text("Good day to all.")
    database.execute("DELETE FROM refresh_tokens")
    time.sleep(SHORT + 1)
    ask(page, "And now?")
    expect(page.get_by_role("alert")).to_have_text(re.compile("signed out"))


def test_a_server_that_is_away_is_said_in_the_pages_own_words(page: Page) -> None:
    expect = playwright.expect
    page.route("**/api/auth/login", lambda route: route.abort("internetdisconnected"))
    sign_in(page)
    expect(page.get_by_role("alert")).to_have_text("The server cannot be reached.")
    page.get_by_role("button", name="中文").first.click()
    sign_in_again = page.get_by_role("button", name="登录")
    sign_in_again.click()
    expect(page.get_by_role("alert")).to_have_text("无法连接服务器。")
    page.unroute("**/api/auth/login")
    sign_in_again.click()
    expect(page.get_by_text("您想了解什么？")).to_be_visible()


def test_it_is_used_by_keyboard_alone(page: Page) -> None:
    expect = playwright.expect
    expect(page.get_by_label("User")).to_be_focused()
    page.keyboard.type(USER)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Message")).to_be_focused()
    page.keyboard.type("Hello")
    page.keyboard.press("Enter")
    expect(page.locator(".message.assistant")).to_have_text("Good day to all.")
