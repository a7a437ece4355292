"""What hosts are told of the site's sources: apt's files, the names of images."""

from __future__ import annotations

import pytest

from rackwright.errors import RackwrightError
from rackwright.sources.apt import AUTHORITY, LIST, SETTING, SIGNER, apt_files
from rackwright.sources.images import sourced

ARCHIVES = {"debian": "https://mirror.example/debian", "debian-security": "https://mirror.example/security"}
PINNED = "@sha256:" + "a" * 64


def test_a_host_of_its_own_sources_gets_no_file() -> None:
    assert apt_files({"apt": "own", "archives": ARCHIVES}, ["debian-13"]) == {}


def test_archives_are_told_with_their_own_keys() -> None:
    files = apt_files({"apt": "archives", "archives": ARCHIVES}, ["debian-13", "debian"])
    assert set(files) == {SETTING, LIST}
    assert "Suites: trixie-security" in files[LIST]
    assert files[LIST].count("Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg") == 3
    assert 'Dir::Etc::SourceList "/dev/null";' in files[SETTING]


def test_a_bundle_is_told_with_the_key_that_signed_it() -> None:
    bundle = {"base": "https://10.0.0.5:8481", "signer": "KEY", "authority": "PEM"}
    files = apt_files({"apt": "bundle", "bundle": bundle}, ["debian-13", "debian"], "aarch64")
    assert (files[SIGNER], files[AUTHORITY]) == ("KEY", "PEM")
    assert "URIs: https://10.0.0.5:8481/apt/\nSuites: debian-13/arm64/\nSigned-By: " + SIGNER in files[LIST]
    assert AUTHORITY in files[SETTING]
    own_disk = apt_files({"apt": "bundle", "bundle": {**bundle, "authority": ""}}, ["debian-13", "debian"])
    assert AUTHORITY not in own_disk


def test_a_profile_without_the_systems_archive_is_refused() -> None:
    with pytest.raises(RackwrightError, match=r"nothing for ubuntu-24.04"):
        apt_files({"apt": "archives", "archives": ARCHIVES}, ["ubuntu-24.04", "ubuntu"])


@pytest.mark.parametrize(
    ("name", "registries", "asked"),
    [
        (f"ghcr.io/a/b{PINNED}", {}, f"ghcr.io/a/b{PINNED}"),
        (f"ghcr.io/a/b:1{PINNED}", {"ghcr.io": "ghcr.example"}, f"ghcr.example/a/b{PINNED}"),
        (f"nginx{PINNED}", {"docker.io": "hub.example"}, f"hub.example/library/nginx{PINNED}"),
        (f"quay.io/a/b{PINNED}", {"ghcr.io": "ghcr.example"}, f"quay.io/a/b{PINNED}"),
        (f"quay.io/a/b{PINNED}", {"*": "10.0.0.5:8481"}, f"10.0.0.5:8481/quay.io/a/b{PINNED}"),
    ],
)
def test_an_image_is_asked_for_at_the_sites_place(name: str, registries: dict[str, str], asked: str) -> None:
    assert sourced({"name": name}, {"registries": registries})["name"] == asked


def test_an_image_of_an_archive_stays() -> None:
    image = {"name": "x:1", "archive": "/x.tar", "image_id": "sha256:" + "b" * 64}
    assert sourced(image, {"registries": {"*": "10.0.0.5:8481"}}) == image
