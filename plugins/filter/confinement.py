"""AppArmor profiles for plays; thin over `rackwright.confinement`, imported where it is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from ansible.errors import AnsibleFilterError

from rackwright.errors import RackwrightError
from rackwright.site.plain import plain

Exceptions: TypeAlias = Sequence[Mapping[str, str]]


def _confined(
    catalogue: Mapping[str, Any], names: Sequence[str], mode: str, exceptions: Sequence[Mapping[str, str]]
) -> list[Any]:
    from rackwright.confinement.site import confined  # noqa: PLC0415 - see the module

    try:
        here = {name: plain(catalogue[name]) for name in names}
        return confined(here, str(mode), plain(list(exceptions)))
    except RackwrightError as error:
        raise AnsibleFilterError(f"confinement: {error}") from error


def confinement_files(
    catalogue: Mapping[str, Any], names: Sequence[str], mode: str, exceptions: Exceptions = ()
) -> list[dict[str, Any]]:
    """Return items of `managed_files` for a host: profiles and units' drop-ins, or their absence.

    Args:
        catalogue: The services of the platform.
        names: Those that the host runs.
        mode: disable, complain or enforce.
        exceptions: `service` and `mode` of those that have another.
    """
    return [item for entry in _confined(catalogue, names, mode, exceptions) for item in entry.files()]


def confinement_profiles(
    catalogue: Mapping[str, Any], names: Sequence[str], mode: str, exceptions: Exceptions = ()
) -> list[dict[str, Any]]:
    """Return the profiles that are wanted on a host, for the module `confinement`; arguments as above."""
    if mode == "disable" and not exceptions:
        return []
    from rackwright.confinement.site import told  # noqa: PLC0415 - see the module

    return told(_confined(catalogue, names, mode, exceptions))


def confinement_problems(
    catalogue: Mapping[str, Any], mode: object, exceptions: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Return what is wrong with a site's choice, as sentences."""
    if mode == "disable" and not exceptions:
        return []
    from rackwright.confinement.site import problems  # noqa: PLC0415 - see the module

    return problems(plain(mode), plain(list(exceptions)), plain(catalogue))


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "confinement_files": confinement_files,
            "confinement_problems": confinement_problems,
            "confinement_profiles": confinement_profiles,
        }
