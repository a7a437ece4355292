"""The driver decision for plays. Thin: everything is done by `rackwright.drivers`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from rackwright.errors import RackwrightError
from rackwright.site.plain import plain


def driver_plan(
    hardware: Mapping[str, Any],
    state: Mapping[str, Any],
    wishes: Mapping[str, Any],
    known: Mapping[str, Any],
    sources: list[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the plan for a host's driver.

    Args:
        hardware: The host's facts as `rackwright scan` keeps them.
        state: The result of the module `nvidia_state`.
        wishes: branch, flavour, source, repository, engine, engine_version, kernel; each may be empty.
        known: The variable `compatibility`.
        sources: The variable `driver_sources`.

    Raises:
        AnsibleFilterError: Facts of the wrong shape.
    """
    # Ansible imports the filters of all files for any one of them, and few sites have GPUs.
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415

    from rackwright.compatibility.load import load_compatibility  # noqa: PLC0415
    from rackwright.drivers.choose import choose_driver  # noqa: PLC0415
    from rackwright.drivers.plan import Running, Wishes  # noqa: PLC0415
    from rackwright.drivers.sources import load_sources  # noqa: PLC0415
    from rackwright.hardware.model import Hardware  # noqa: PLC0415

    told = plain(state)
    given = {key: value for key, value in plain(wishes).items() if value not in {None, "", 0, "auto"}}
    try:
        machine = TypeAdapter(Hardware).validate_python(_with(plain(hardware), told))
        running = Running(
            module=told["module"],
            flavour=told.get("flavour"),
            version=told.get("version"),
            processes=len(told.get("processes") or []),
            packaged=bool(told["packages"]) if "packages" in told else None,
        )
        plan = choose_driver(
            machine, Wishes(**given), load_compatibility(known), running, load_sources(sources)
        )
    except (RackwrightError, ValidationError, TypeError, KeyError) as error:
        raise AnsibleFilterError(f"driver_plan: {error}") from error
    return plan.as_dict()


def _with(hardware: dict[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
    """Lay what the host says now over what the scan kept: kernel and Secure Boot may have changed."""
    system = {**hardware["system"]}
    if state.get("secure_boot") is not None:
        system["secure_boot"] = state["secure_boot"]
    if state.get("kernel"):
        system["kernel"] = state["kernel"]
    return {**hardware, "system": system}


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"driver_plan": driver_plan}
