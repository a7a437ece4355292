"""The front end that a site installs, as browsers get it, and the page that closes the site."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from testinfra.host import Host

Ask = Callable[..., dict[str, Any]]
ROOT = "/srv/rackwright/frontend/current"


@pytest.fixture
def ai(variables: Mapping[str, Any]) -> str:
    """The front end's host name."""
    return f"ai.{variables['domain']}"


@pytest.fixture
def no_front_end(edge: Host) -> Iterator[None]:
    """The site's own page is out of the way."""
    edge.check_output(f"mv {ROOT} {ROOT}.away")
    yield
    edge.check_output(f"mv {ROOT}.away {ROOT}")


@pytest.fixture
def front_end(edge: Host, no_front_end: None) -> Iterator[None]:
    """A front end of three files."""
    assert no_front_end is None
    edge.check_output(
        f"mkdir -p {ROOT}/assets && cd {ROOT} && echo '<p>page</p>' > index.html"
        " && echo 'a()' > assets/app-1.js"
        " && echo 'x' > logo.3f9a2b7c.svg && echo 'y' > robots.txt && chmod -R a+rX /srv"
    )
    yield
    edge.check_output(f"rm -r {ROOT}")


@pytest.mark.usefixtures("no_front_end")
def test_without_a_front_end_there_is_a_plain_page(ask: Ask, ai: str) -> None:
    answer = ask("/", host=ai)

    assert answer["status"] == 404
    assert answer["headers"]["content-type"].startswith("text/html")
    assert "there is nothing here" in answer["body"]


@pytest.mark.usefixtures("front_end")
@pytest.mark.parametrize(
    ("path", "cached"),
    [
        ("/", "no-store"),
        ("/chat/17", "no-store"),
        ("/assets/app-1.js", "public, max-age=31536000, immutable"),
        ("/logo.3f9a2b7c.svg", "public, max-age=31536000, immutable"),
        ("/robots.txt", "no-cache"),
    ],
)
def test_files_are_kept_as_long_as_their_names_promise(ask: Ask, ai: str, path: str, cached: str) -> None:
    answer = ask(path, host=ai)

    assert answer["status"] == 200
    assert answer["headers"]["cache-control"] == cached
    assert ("page" in answer["body"]) == (cached == "no-store")


@pytest.mark.usefixtures("front_end")
def test_a_missing_asset_is_no_page_and_a_page_takes_nothing_from_elsewhere(ask: Ask, ai: str) -> None:
    assert ask("/assets/gone.js", host=ai)["status"] == 404
    assert "cache-control" not in ask("/assets/gone.js", host=ai)["headers"]
    policy = ask("/", host=ai)["headers"]["content-security-policy"]
    assert policy.startswith("default-src 'self'")
    assert "unsafe" not in policy


@pytest.mark.usefixtures("front_end")
def test_the_front_ends_own_host_has_the_api(ask: Ask, ai: str) -> None:
    answer = ask("/api/echo", host=ai)

    assert answer["status"] == 200
    assert "cache-control" not in answer["headers"]
