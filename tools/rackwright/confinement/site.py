"""Which services of a host run under a profile, and in which mode."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from rackwright.catalogue.model import Service
from rackwright.confinement.model import needs_of_service
from rackwright.confinement.profile import DIRECTORY, profile_name, profile_text
from rackwright.site.paths import repository_root

DISABLE, COMPLAIN, ENFORCE = MODES = ("disable", "complain", "enforce")
UNITS = Path("/etc/systemd/system")
# The parser judges a profile by itself, with no need of a kernel that knows AppArmor.
CHECK = f"apparmor_parser -QKT -M {DIRECTORY}/abi/3.0 %s"


@dataclass(frozen=True)
class Confined:
    """A service, or a part of one, that a profile is there for.

    Attributes:
        service: Its name in the catalogue.
        profile: The profile's name.
        units: The units that run under it.
        mode: disable, complain or enforce.
        text: The profile; empty when it is switched off.
    """

    service: str
    profile: str
    units: tuple[str, ...]
    mode: str
    text: str

    @property
    def path(self) -> str:
        """Where the profile lies."""
        return f"{DIRECTORY}/{self.profile}"

    @property
    def on(self) -> bool:
        """Whether it is wanted."""
        return self.mode != DISABLE

    def files(self) -> Iterator[dict[str, Any]]:
        """Yield items of `managed_files`: the profile, and for each unit what puts it under that."""
        if not self.on:
            yield from ({"dest": path, "state": "absent"} for path in (self.path, *self.dropins()))
            return
        yield {"dest": self.path, "content": self.text, "validate": CHECK}
        for path in self.dropins():
            yield {"dest": path.rpartition("/")[0], "state": "directory"}
            yield {"dest": path, "content": _DROPIN.format(profile=self.profile)}

    def dropins(self) -> list[str]:
        """Return the units' drop-ins."""
        return [str(UNITS / f"{unit}.d" / "70-rackwright-apparmor.conf") for unit in self.units]


# `-`: a service whose profile cannot be loaded (a mistake in a host's own rules, a container) serves all the
# same, in systemd's sandbox; run, alert and audit tell it. Without AppArmor systemd passes over the line.
_DROPIN = """\
# Managed by Ansible (role hardening).
[Service]
AppArmorProfile=-{profile}
"""


_SERVICE = TypeAdapter(Service)


def confined(
    services: Mapping[str, Mapping[str, Any]], mode: str, exceptions: Iterable[Mapping[str, str]] = ()
) -> list[Confined]:
    """Return the profiles of some services; a service's exception is all its profiles'.

    Args:
        services: What the catalogue says of those that a host runs.
        mode: The site's.
        exceptions: `service` and `mode` of those that have another.
    """
    modes = {entry["service"]: entry["mode"] for entry in exceptions}
    found, roles = [], repository_root() / "roles"
    for name, service in services.items():
        own = modes.get(name, mode)
        for part, needs in needs_of_service(roles / service["role"], name).items():
            text = ""
            if own != DISABLE:
                # Through JSON, in which pydantic's strict mode takes a list for a tuple.
                known = _SERVICE.validate_json(json.dumps(service))
                text = profile_text(part, known, needs, complain=own == COMPLAIN)
            found.append(Confined(name, profile_name(part), needs.units or (service["unit"],), own, text))
    return found


def problems(
    mode: object, exceptions: Sequence[Mapping[str, Any]], services: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Return what is wrong with the site's choice, as sentences with variable, value, rule and remedy.

    Args:
        mode: `hardening_apparmor`.
        exceptions: `hardening_apparmor_exceptions`.
        services: The whole catalogue: what one host does not run another may.
    """
    found = []
    if mode not in MODES:
        found.append(f"hardening_apparmor is {mode!r}: write one of {', '.join(MODES)}")
    known = sorted({entry.service for entry in confined(services, DISABLE)})
    for entry in exceptions:
        where = f"hardening_apparmor_exceptions names {entry.get('service')!r}"
        if entry.get("service") not in known:
            found.append(f"{where}: there is no profile for it, write one of {', '.join(known)}")
        if entry.get("mode") not in MODES:
            found.append(f"{where} with the mode {entry.get('mode')!r}: write one of {', '.join(MODES)}")
        if not str(entry.get("reason") or "").strip():
            found.append(f"{where} without a reason: write why, it stands in the audit's report")
    names = [entry.get("service") for entry in exceptions]
    found += [
        f"hardening_apparmor_exceptions names {name!r} twice: each service may be there once; take one out"
        for name in sorted({str(name) for name in names if names.count(name) > 1})
    ]
    return found


def told(entries: Iterable[Confined]) -> list[dict[str, Any]]:
    """Return what hosts are told of the profiles that are on."""
    return [
        {
            "service": entry.service,
            "profile": entry.profile,
            "path": entry.path,
            "units": list(entry.units),
            "mode": entry.mode,
        }
        for entry in entries
        if entry.on
    ]
