from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackwright.errors import RackwrightError
from rackwright.lab.mirror import (
    MIRROR_VARIABLE,
    SECURITY_VARIABLE,
    AptEntry,
    find_mirror,
    parse_deb822,
    parse_one_line,
    through_cache,
)

DEB822 = """\
Types: deb
# http://comment.example/debian
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
 contrib
Signed-By: /usr/share/keyrings/x.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Types: deb
Enabled: no
URIs: http://disabled.example/debian
Suites: bookworm
Components: main
"""


@pytest.fixture(autouse=True)
def _no_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MIRROR_VARIABLE, raising=False)
    monkeypatch.delenv(SECURITY_VARIABLE, raising=False)


def apt(tmp_path: Path, **files: str) -> Path:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    for name, content in files.items():
        path = tmp_path / "sources.list" if name == "main" else parts / name.replace("_", ".")
        path.write_text(content)
    return tmp_path


def test_deb822_entries_without_comments_and_disabled_ones() -> None:
    assert list(parse_deb822(DEB822)) == [
        AptEntry("http://mirror.example/debian", ("bookworm", "bookworm-updates"), ("main", "contrib")),
        AptEntry("http://mirror.example/debian-security", ("bookworm-security",), ("main",)),
    ]


def test_one_line_entries() -> None:
    text = (
        "# deb http://comment.example/debian trixie main\n"
        "deb-src http://source.example/debian trixie main\n"
        "deb [arch=amd64 signed-by=/x.gpg] http://a.example/debian trixie main contrib # why\n"
        "deb cdrom:[Debian]/ trixie main\n"
        "deb https://b.example/debian/ sid main\n"
    )
    assert list(parse_one_line(text)) == [
        AptEntry("http://a.example/debian", ("trixie",), ("main", "contrib")),
        AptEntry("https://b.example/debian/", ("sid",), ("main",)),
    ]


def test_mirror_is_that_of_the_main_archive(tmp_path: Path) -> None:
    other = "deb http://tools.example/apt stable-tools main\n"
    mirror = find_mirror(apt(tmp_path, a_list=other, debian_sources=DEB822))
    assert mirror.main == "http://mirror.example/debian"
    assert mirror.security == "http://mirror.example/debian-security"


def test_third_party_with_debian_suite_but_other_component_is_not_debian(tmp_path: Path) -> None:
    other = "deb http://docker.example/linux/debian trixie stable\n"
    mirror = find_mirror(apt(tmp_path, a_list=other, main="deb http://m.example/debian trixie main\n"))
    assert mirror.main == "http://m.example/debian"
    assert mirror.security is None


def test_setting_wins_over_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MIRROR_VARIABLE, "http://mine.example/debian/")
    assert find_mirror(apt(tmp_path, debian_sources=DEB822)).main == "http://mine.example/debian"


def test_no_debian_says_which_setting_helps(tmp_path: Path) -> None:
    with pytest.raises(RackwrightError) as caught:
        find_mirror(apt(tmp_path, main="deb http://archive.example/ubuntu noble main\n"))
    assert MIRROR_VARIABLE in str(caught.value.hint)


def test_cache_sees_plain_http_only() -> None:
    assert through_cache("http://m.example/debian") == "http://m.example/debian"
    assert through_cache("https://m.example/debian") == "http://HTTPS///m.example/debian"


@given(st.text(max_size=400))
def test_parsers_take_any_text(text: str) -> None:
    for entry in (*parse_one_line(text), *parse_deb822(text)):
        assert entry.uri.startswith(("http://", "https://"))
