"""What each unit of the platform runs under, or why it runs under no profile: as the roles declare it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rackwright.confinement.model import Unconfined, declared_by_role, needs_of_service, service_of
from rackwright.confinement.profile import profile_name

SERVICES = "group_vars/all/services.yml"


@dataclass(frozen=True)
class Stand:
    """Where one unit stands: a profile's name, or none and the reason."""

    unit: str
    profile: str
    reason: str


def stands(root: Path, services: Mapping[str, Mapping[str, Any]]) -> list[Stand]:
    """Return where every unit stands that a role declares, by profile; those without one last.

    Args:
        root: The repository.
        services: The catalogue.

    Raises:
        RackwrightError: A declaration says what it may not.
    """
    found = []
    for role in sorted((root / "roles").iterdir()):
        declared = declared_by_role(role)
        for service in sorted({service_of(name) for name in declared} & services.keys()):
            for name, needs in needs_of_service(role, service).items():
                units = needs.units or (services[service]["unit"],)
                found += [Stand(unit, profile_name(name), "") for unit in units]
        for name, entry in declared.items():
            if isinstance(entry, Unconfined):
                units = entry.units or (services[service_of(name)]["unit"],)
                found += [Stand(unit, "", entry.none) for unit in units]
    return sorted(found, key=lambda stand: (not stand.profile, stand.profile, stand.unit))


def confinement_table(root: Path) -> str:
    """Return the table of units and containers, as Markdown."""
    services = yaml.safe_load((root / SERVICES).read_text(encoding="utf-8"))["services"]
    rows = ["| unit | profile, or why there is none |", "| --- | --- |"]
    rows += [
        f"| `{stand.unit}` | {f'`{stand.profile}`' if stand.profile else f'none: {stand.reason}'} |"
        for stand in stands(root, services)
    ]
    containers = [f"`{entry['container']}`" for entry in services.values() if entry.get("container")]
    rows.append(f"| containers: {', '.join(sorted(containers))} | Docker's `docker-default` |")
    return "\n".join(rows) + "\n"
