"""A browser before the page: how it starts, what it complains of, the steps that all of its tests take."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
else:
    Browser = Page = object

USER, PASSWORD = "alice", "correct horse battery"
_BROUGHT_ABOUT = ("status of 4", "ERR_INTERNET_DISCONNECTED")
WELCOME = "What would you like to know?"
PICTURES = Path(__file__).parents[1] / "build/screenshots"
"""Where someone can look at them."""


def chromium() -> str:
    """Where Debian's Chromium is."""
    found = shutil.which("chromium")
    if found is None:
        pytest.fail("chromium is missing: apt-get install chromium")
    return found


@contextmanager
def launched(
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    program: Path | None = None,
) -> Iterator[Browser]:
    """Debian's Chromium, or a program that starts it, for a while."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=program or chromium(),
            args=["--no-sandbox", *arguments],
            env=dict(environment) if environment else None,
        )
        yield browser
        browser.close()


@contextmanager
def trusting(
    home: Path, names: Sequence[str], *authorities: Path, program: Path | None = None
) -> Iterator[Browser]:
    """Chromium of a user whose computer trusts authorities and finds names.

    Args:
        home: An empty directory for the user.
        names: Rules of Chromium's, ``MAP *.example.internal 10.0.0.1``; the first one that fits counts.
        authorities: Their certificates.
        program: What starts it, where that is not Chromium itself.
    """
    store = f"sql:{home}/.pki/nssdb"
    (home / ".pki/nssdb").mkdir(parents=True)
    added = [["-A", "-t", "C,,", "-n", f"authority {path}", "-i", str(path)] for path in authorities]
    for arguments in (["-N", "--empty-password"], *added):
        subprocess.run(["certutil", "-d", store, *arguments], check=True, capture_output=True)
    rules = ", ".join(names)
    environment = {**os.environ, "HOME": str(home)}
    with launched([f"--host-resolver-rules={rules}"], environment, program) as started:
        yield started


@contextmanager
def opened(browser: Browser, address: str) -> Iterator[Page]:
    """The page in English; whatever its policy refuses, or a script breaks on, fails the test.

    What a test brings about itself does not: a refused request, and a network that it takes away.
    """
    context = browser.new_context(locale="en-GB", viewport={"width": 1200, "height": 800})
    made = context.new_page()
    complaints: list[str] = []
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.on(
        "console",
        lambda said: (
            complaints.append(said.text)
            if said.type == "error" and not any(own in said.text for own in _BROUGHT_ABOUT)
            else None
        ),
    )
    made.goto(address)
    yield made
    context.close()
    assert complaints == [], complaints


def sign_in(page: Page, password: str = PASSWORD) -> None:
    """Give name and password."""
    page.get_by_label("User").fill(USER)
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")


def ask(page: Page, text: str) -> None:
    """Send a message."""
    page.get_by_label("Message").fill(text)
    page.keyboard.press("Enter")


def shot(page: Page, name: str) -> None:
    """Keep a picture."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(PICTURES / f"{name}.png"))


def look_in_every_way(page: Page, prefix: str = "") -> None:
    """Light, dark, Chinese, and as narrow as a phone, where nothing may be wider than the screen."""
    expect = pytest.importorskip("playwright.sync_api").expect
    shot(page, f"{prefix}light")
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    shot(page, f"{prefix}dark")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("button", name="新对话")).to_be_visible()
    expect(page.locator(".sources strong")).to_have_text("来源")
    # What was said of the last upload, too.
    expect(page.locator("#upload-status")).to_contain_text("已就绪")
    shot(page, f"{prefix}chinese")
    page.set_viewport_size({"width": 380, "height": 780})
    expect(page.locator("#side")).to_be_hidden()
    shot(page, f"{prefix}phone")
    page.get_by_role("button", name="菜单").click()
    expect(page.get_by_role("button", name="新对话")).to_be_visible()
    shot(page, f"{prefix}phone-menu")
    page.keyboard.press("Escape")
    expect(page.locator("#side")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
