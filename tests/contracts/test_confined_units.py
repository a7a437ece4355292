"""Every unit has an AppArmor profile of ours, or a reason why not; no container leaves Docker's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from rackwright.confinement.model import Needs, declared_by_role, service_of
from rackwright.confinement.overview import stands

# What would put a container, or a unit, under no profile at all.
OPEN = re.compile(r"apparmor[=:]\s*[\"']?unconfined|--privileged|privileged:\s*true", re.IGNORECASE)
# Not the lab's: its machines are containers that must be able to do what a server can.
PLACES = (
    "roles",
    "playbooks",
    "group_vars",
    "plugins",
    "tools/rackwright/containers",
    "tools/rackwright/dify",
)


@pytest.fixture(scope="module")
def services(root: Path) -> dict[str, Any]:
    text = (root / "group_vars/all/services.yml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)["services"]
    return loaded


def units(root: Path, services: dict[str, Any]) -> set[str]:
    """Those that the catalogue names, for themselves or for their logs, and those that roles write."""
    named = {entry["unit"] for entry in services.values() if entry.get("unit")}
    for entry in services.values():
        logs = entry["logs"] if isinstance(entry["logs"], list) else []
        named |= {log["journal"] for log in logs if "journal" in log}
    doors = {
        f"rackwright-{name}.service"
        for role in (root / "roles").iterdir()
        for name, declared in declared_by_role(role).items()
        if getattr(declared, "role", "") == "tls_front"
    }
    written = {path.stem for path in root.glob("roles/*/templates/etc/systemd/system/*.service.j2")}
    # One text for all doors, under a name that is nobody's.
    return named | doors | written - {"front.service"}


def without(found: set[str], root: Path, services: dict[str, Any]) -> set[str]:
    """Those of some units that are neither confined nor excused."""
    return found - {stand.unit for stand in stands(root, services)}


def test_every_unit_is_confined_or_told_not_to_be(root: Path, services: dict[str, Any]) -> None:
    told = "write roles/<role>/meta/apparmor.yml: what it runs, reads and writes, or `none: <reason>`"
    assert without(units(root, services), root, services) == set(), told


def test_a_new_service_with_neither_would_be_seen(root: Path, services: dict[str, Any]) -> None:
    new = services | {"new": {"role": "new", "unit": "new.service", "logs": [{"journal": "newer.service"}]}}
    assert without(units(root, new), root, new) == {"new.service", "newer.service"}


def test_every_service_has_a_unit_or_is_a_container(services: dict[str, Any]) -> None:
    """Else nothing here would look at it."""
    assert [
        name for name, entry in services.items() if not (entry.get("unit") or entry.get("container"))
    ] == []


def test_no_unit_is_both(root: Path, services: dict[str, Any]) -> None:
    found = stands(root, services)
    confined = {stand.unit for stand in found if stand.profile}
    assert {stand.unit for stand in found if not stand.profile} & confined == set()


def test_every_door_is_the_roles_that_opens_one(root: Path) -> None:
    """Who stands behind a door says so: its profile is made of the door's declaration."""
    opened = set()
    for path in [*root.glob("roles/*/tasks/*.yml"), *root.glob("playbooks/*.yml")]:
        opened |= set(
            re.findall(r"^\s+tls_front_name: (\w+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        )
    declared = {
        service_of(name)
        for role in (root / "roles").iterdir()
        for name, entry in declared_by_role(role).items()
        if getattr(entry, "role", "") == "tls_front"
    }
    assert declared == opened


def test_what_stands_under_a_role_s_name_is_for_others_or_a_reason(
    root: Path, services: dict[str, Any]
) -> None:
    """A profile that no service has would be on no host."""
    declarations = {role.name: declared_by_role(role) for role in (root / "roles").iterdir()}
    referred = {
        entry.role
        for declared in declarations.values()
        for entry in declared.values()
        if not isinstance(entry, Needs) and hasattr(entry, "role")
    }
    for role, declared in declarations.items():
        foreign = {
            name
            for name, entry in declared.items()
            if services.get(service_of(name), {}).get("role") != role
            and not (name == role and (role in referred or hasattr(entry, "none")))
        }
        assert foreign == set(), role


@pytest.mark.parametrize("place", PLACES)
def test_no_container_leaves_docker_s_profile(root: Path, place: str) -> None:
    suffixes = {".yml", ".yaml", ".j2", ".py"}
    paths = [path for path in (root / place).rglob("*") if path.suffix in suffixes]
    assert [str(path) for path in paths if OPEN.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    "text",
    ["--security-opt apparmor=unconfined", 'security_opt: ["apparmor:unconfined"]', "privileged: true"],
)
def test_leaving_it_would_be_seen(text: str) -> None:
    assert OPEN.search(text)
