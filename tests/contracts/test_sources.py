"""Nothing enters a host from an address that does not come from the site's sources."""

import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

# What a run executes, and what it is told.
FOLDERS = ("roles", "plugins", "playbooks", "group_vars/all", "inventories")
SOURCES = "group_vars/all/sources.yml"
SUFFIXES = {".py", ".yml", ".j2", ".sh", ".conf", ".service", ".cfg", ".js", ".json"}
URL = re.compile(r"""(?:https?|oci|git|ftp|rsync|docker)://[^\s"'<>)\]}`,;|]+""")
# Pages that people read, and identifiers that look like addresses; nothing is fetched from them.
READ_BY_PEOPLE = re.compile(r"^\s*(#|//|{#|<!--)|^\s*(description|homepage|documentation|evidence)s?:")


def addresses(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not READ_BY_PEOPLE.search(line):
            for match in URL.finditer(line):
                yield number, match[0]


def is_outside(url: str) -> bool:
    """Tell whether an address is one of the world: not a site's own, an example's or a template's."""
    host = re.sub(r"^\w+://([^/@]*@)?", "", url).partition("/")[0].partition(":")[0]
    if not host or any(sign in host for sign in "{}$%<~()\\^*"):
        return False
    if host.endswith((".internal", ".example", ".test", ".invalid", ".localhost")) or "example" in host:
        return False
    if "." not in host and ":" not in host:
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return True


def test_no_address_of_the_world_outside_the_sources(root: Path) -> None:
    found = []
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            name = str(path.relative_to(root))
            if path.suffix not in SUFFIXES or path.is_symlink() or name == SOURCES or not path.is_file():
                continue
            for number, url in addresses(path.read_text(encoding="utf-8")):
                if is_outside(url):
                    found.append(f"{name}:{number}: {url}")
    assert found == [], "let group_vars/all/sources.yml name it, and take it from the variable `sources`"


@pytest.mark.parametrize(
    ("url", "outside"),
    [
        ("https://deb.debian.org/debian", True),
        ("https://8.8.8.8/file", True),
        ("https://mirror.example.internal/debian", False),
        ("http://10.0.0.5/models", False),
        ("http://127.0.0.1:8000", False),
        ("https://{{ host }}/v1", False),
        ("http://behind", False),
    ],
)
def test_what_counts_as_outside(url: str, outside: bool) -> None:
    assert is_outside(url) is outside


def test_profiles_have_the_same_keys(root: Path) -> None:
    profiles = yaml.safe_load((root / SOURCES).read_text(encoding="utf-8"))["source_profiles"]
    assert set(profiles) == {"upstream", "cn", "mirror", "bundle"}
    keys = {name: set(profile) for name, profile in profiles.items()}
    assert all(each == keys["upstream"] for each in keys.values()), keys
    archives = {name: set(profile["archives"]) for name, profile in profiles.items()}
    assert all(each == archives["upstream"] for each in archives.values()), archives
