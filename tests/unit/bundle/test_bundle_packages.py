"""Repositories that are written from signed indexes, and the names of systems."""

from __future__ import annotations

import gzip
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackwright.bundle import repository, systems
from rackwright.bundle.apt import Deb, stanzas
from rackwright.bundle.manifest import BundleError

SYSTEM = systems.parse("debian-13/amd64")
DATES = ["Sat, 08 Nov 2025 10:42:24 UTC", "Thu, 20 Nov 2025 02:13:00 UTC"]


def deb(name: str, version: str = "1:1.2-3") -> Deb:
    stanza = {
        "Package": name,
        "Version": version,
        "Architecture": "amd64",
        "Filename": f"pool/main/{name[0]}/{name}/{name}_amd64.deb",
        "Size": "10",
        "SHA256": hashlib.sha256(name.encode()).hexdigest(),
        "MD5sum": "0" * 32,
        "Depends": "libc6 (>= 2.36)",
        "Description": "first line\n second line",
    }
    return Deb(f"http://archive.example/{stanza['Filename']}", stanza)


def test_an_index_names_what_the_tree_has() -> None:
    made = repository.build(SYSTEM, [deb("nginx"), deb("redis")], DATES)
    entries = {each["Package"]: each for each in stanzas(made.packages.decode().splitlines())}
    for one in (deb("nginx"), deb("redis")):
        stanza = entries[one.stanza["Package"]]
        # From the base that all systems share.
        assert f"apt/{stanza['Filename']}" == repository.entry_of(SYSTEM, one).path
        assert stanza["SHA256"] == one.sha256
        assert stanza["Description"] == "first line\n second line"
        assert "MD5sum" not in stanza
        # A colon is no part of a file name: some media do not take it.
        assert ":" not in stanza["Filename"]
    release = made.release.decode()
    assert "Suite: debian-13/amd64\n" in release
    assert "Date: Thu, 20 Nov 2025 02:13:00 UTC" in release
    assert f" {hashlib.sha256(made.packages).hexdigest()} {len(made.packages)} Packages\n" in release
    assert gzip.decompress(made.packed) == made.packages


@given(st.permutations(["nginx", "redis", "libc6", "zlib1g"]))
def test_the_same_packages_make_the_same_bytes(names: list[str]) -> None:
    one = repository.build(SYSTEM, map(deb, names), DATES)
    assert one == repository.build(SYSTEM, map(deb, sorted(names)), DATES[::-1])


@pytest.mark.parametrize("text", ["debian-13", "debian-9/amd64", "debian-13/sparc", "Debian-13/amd64", ""])
def test_a_system_that_is_not_known_is_refused(text: str) -> None:
    with pytest.raises(BundleError, match="is no system that is known"):
        systems.parse(text)


def test_ubuntu_keeps_other_machines_elsewhere() -> None:
    assert {suite.archive for suite in systems.parse("ubuntu-24.04/arm64").suites} == {"ubuntu-ports"}
    assert {suite.archive for suite in systems.parse("ubuntu-24.04/amd64").suites} == {
        "ubuntu",
        "ubuntu-security",
    }
