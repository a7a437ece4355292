"""What a site needs, of the example sites and of one with images."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from rackwright.bundle.closure import CONTROL_PACKAGES, Wanted, wanted
from rackwright.bundle.manifest import BundleError
from rackwright.site.inventory import load_inventory
from rackwright.site.paths import repository_root

DIGEST = "sha256:" + "a" * 64


def of(source: Path) -> Wanted:
    return wanted(load_inventory([source]))


def names(found: Wanted, system: str = "debian-13/amd64") -> set[str]:
    return {name for each in found.packages if each.system.text == system for name in each.names}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    target = tmp_path / "small"
    shutil.copytree(repository_root() / "inventories/small", target)
    return target


def say(site: Path, **variables: object) -> None:
    (site / "group_vars/all/zz.yml").write_text(yaml.safe_dump(variables), encoding="utf-8")


@pytest.mark.parametrize("size", ["small", "medium", "large"])
def test_the_example_sites_have_their_packages(size: str) -> None:
    found = of(repository_root() / f"inventories/{size}")
    assert {"docker.io", "postgresql-17", "nftables", "lynis", *CONTROL_PACKAGES} <= names(found)
    # What services name beside their roles.
    assert "prometheus-process-exporter" in names(found)
    assert [lock.name for lock in found.locks][:1] == ["app"]


def test_what_a_host_gets_together_is_asked_for_together() -> None:
    found = of(repository_root() / "inventories/large")
    assert len(found.packages) > 2
    assert len({each.names for each in found.packages}) == len(found.packages)


def test_images_and_pinned_versions_of_the_site_come_along(site: Path) -> None:
    digests = {"name": f"ghcr.io/ggml-org/llama.cpp@{DIGEST}"}
    pinned = {
        "tool": {"version": "1.0", "url": "https://a.example/tool", "sha256": "b" * 64},
        "qdrant": {"version": "1.0", "image": "qdrant/qdrant", "digest": DIGEST},
        "thing": {"version": "1.0", "image": "docker.io/team/thing", "digest": DIGEST},
    }
    say(site, ollama_image=digests, inference_engine="ollama", versions=pinned)
    found = of(site)
    # The image of a role that no host has stays away.
    assert found.images == (f"docker.io/team/thing@{DIGEST}", digests["name"])
    assert [(each.name, each.version) for each in found.files] == [("tool", "1.0")]


def test_several_systems_may_differ_in_what_they_can_run(site: Path) -> None:
    say(site, bundle_systems=["debian-13/amd64", "debian-12/amd64"])
    found = of(site)
    assert "postgresql-15" in names(found, "debian-12/amd64")
    # It has no Compose v2, so nothing of Docker.
    assert "docker.io" not in names(found, "debian-12/amd64")
    say(site, bundle_systems=["debian-12/amd64"])
    with pytest.raises(BundleError, match="role docker does not support debian-12"):
        of(site)


@pytest.mark.parametrize("systems", [[], ["debian-9/amd64"]])
def test_systems_that_are_none_are_refused(site: Path, systems: list[str]) -> None:
    say(site, bundle_systems=systems)
    with pytest.raises(BundleError, match="bundle_systems"):
        of(site)
