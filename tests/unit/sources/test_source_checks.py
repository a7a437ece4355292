"""A site's sources are looked at before any host; of a bundle every file."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from rackwright.bundle import manifest, sign
from rackwright.bundle.manifest import Entry
from rackwright.bundle.store import Store
from rackwright.catalogue.findings import Finding
from rackwright.site.inventory import Inventory
from rackwright.site.paths import repository_root
from rackwright.site.source_checks import source_findings

PROFILES = yaml.safe_load((repository_root() / "group_vars/all/sources.yml").read_text(encoding="utf-8"))


def found(given: Mapping[str, Any], mirrors: tuple[str, ...] = ("ops1",)) -> list[Finding]:
    values = {
        "source_profiles": PROFILES["source_profiles"],
        "source_overrides": {},
        "package_proxy": "",
        "bundle_systems": ["debian-13/amd64"],
        **given,
    }
    inventory = cast("Inventory", SimpleNamespace(members=lambda group: mirrors if group == "mirror" else ()))
    return list(source_findings(inventory, values.get))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    root, home = tmp_path_factory.mktemp("b"), tmp_path_factory.mktemp("k")
    signer = sign.make_key("checks", home)
    store = Store(root)
    entries = [Entry(f"files/{name}", *store.add_bytes(name.encode()), "file") for name in ("one", "two")]
    made = manifest.make("test", ["debian-13/amd64"], entries)
    (root / manifest.NAME).write_text(made.text(), encoding="utf-8")
    (root / manifest.KEY).write_bytes(sign.public_key(home))
    (root / manifest.SIGNATURE).write_bytes(sign.sign(root / manifest.NAME, home))
    sign.forget_agent(home)
    return root, signer


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RACKWRIGHT_CACHE", str(tmp_path / "cache"))


def test_the_default_is_well() -> None:
    assert found({"source_profile": "upstream"}) == []


@pytest.mark.parametrize(
    ("given", "variable", "told"),
    [
        ({"source_profile": "upsteam"}, "source_profile", "upstream"),
        ({"source_profile": "mirror"}, "source_mirror", "needs the base"),
        ({"source_profile": "mirror", "source_mirror": "mirror.example"}, "source_mirror", "needs the base"),
        ({"source_profile": "cn", "source_overrides": {"pyton": "x"}}, "source_overrides.pyton", "python"),
        ({"source_profile": "cn", "source_overrides": "x"}, "source_overrides", "a mapping"),
        ({"source_profile": "bundle", "bundle_directory": "x"}, "bundle_directory", "absolute path"),
        ({"source_profile": "bundle", "bundle_directory": "/no/where"}, "bundle_directory", "no bundle"),
    ],
)
def test_what_cannot_work_is_refused(given: dict[str, Any], variable: str, told: str) -> None:
    (finding,) = found(given)
    assert finding.variable == variable
    assert told in str(finding)


def test_a_site_of_a_bundle_has_one_mirror_and_no_proxy(bundle: tuple[Path, str]) -> None:
    root, signer = bundle
    given = {"source_profile": "bundle", "bundle_directory": str(root), "bundle_signer": signer}
    assert found(given) == []
    assert [each.variable for each in found(given, mirrors=())] == ["source_profile"]
    assert [each.variable for each in found({**given, "package_proxy": "http://10.0.0.1:3142"})] == [
        "package_proxy"
    ]
    assert [each.variable for each in found({**given, "bundle_systems": ["debian-12/amd64"]})] == [
        "bundle_systems"
    ]
    (other,) = found({**given, "bundle_signer": "0" * 40})
    assert "the site trusts 0000" in str(other)


def test_a_look_at_a_bundle_writes_nothing_into_it(bundle: tuple[Path, str], tmp_path: Path) -> None:
    root = tmp_path / "bundle"
    shutil.copytree(bundle[0], root)
    before = sorted(root.rglob("*"))
    given = {"source_profile": "bundle", "bundle_directory": str(root), "bundle_signer": bundle[1]}
    assert "bundle_directory" not in [each.variable for each in found(given)]
    assert sorted(root.rglob("*")) == before


def test_a_damaged_file_is_named(bundle: tuple[Path, str], tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(bundle[0], root)
    given = {"source_profile": "bundle", "bundle_directory": str(root), "bundle_signer": bundle[1]}
    # Read once, believed since: what changes a file is seen all the same.
    assert found(given) == found(given) == []
    entry = manifest.read(root).entries[1]
    Store(root).path(entry.sha256).write_bytes(b"tow")
    (finding,) = found(given)
    assert (finding.value, finding.where) == (entry.path, str(root))
