"""What hosts with GPUs need beside their roles: the driver that is chosen for them, headers, a kernel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rackwright.bundle.systems import PackageSet, System
from rackwright.compatibility.kernels import system_of
from rackwright.drivers.plan import DriverPlan
from rackwright.drivers.site import hardware_of, plan_of
from rackwright.drivers.sources import load_sources

# dkms only recommends a compiler; the headers of Debian's kernels bring the one that they were made with.
_BUILD = ("dkms", "gcc", "make", "patch")
_PACKAGED = frozenset({"debian", "debian-backports", "ubuntu"})
# Of a distribution: headers and image of its newest kernel.
_KERNEL: Mapping[str, tuple[str, str]] = {
    "debian": ("linux-headers-{architecture}", "linux-image-{architecture}"),
    "ubuntu": ("linux-headers-generic", "linux-image-generic"),
}


def driver_sets(host: str, variables: Mapping[str, Any], system: System) -> Iterator[PackageSet]:
    """Yield what a host with GPUs gets together; of one that was not scanned every driver that it may get.

    Args:
        host: Its name.
        variables: Its variables.
        system: One of the site's.

    Raises:
        RackwrightError: Its scan's file is wrong.
    """
    kernel = (name.format(architecture=system.architecture) for name in _KERNEL[system.distribution])
    yield PackageSet(system, tuple(sorted((*_BUILD, *kernel))))
    hardware, plan = hardware_of(host, variables), plan_of(host, variables)
    if hardware is None or plan is None:
        yield from _every(variables, system)
    elif system_of(hardware) == system.name and _comes_along(plan):
        headers = f"linux-headers-{plan.kernel}"
        names = tuple(sorted({*plan.packages} - {headers}))
        yield PackageSet(system, names, plan.pin or "", optional=(headers,))


def notes(host: str, variables: Mapping[str, Any]) -> Iterator[str]:
    """Yield what whoever builds should know of a host with GPUs."""
    plan = plan_of(host, variables)
    if plan is None:
        yield f"{host} was not scanned: every driver of its distribution comes along (rackwright scan)"
    elif plan.action == "refuse":
        yield f"{host} gets no driver: {plan.reason}; {plan.hint}"
    elif plan.action == "install" and not _comes_along(plan):
        yield (
            f"{host} gets its driver from NVIDIA's repository, which no bundle has: carry a copy, "
            "and name its folder (docs/gpu.md)"
        )


def _comes_along(plan: DriverPlan) -> bool:
    return plan.action == "install" and plan.source in _PACKAGED


def _every(variables: Mapping[str, Any], system: System) -> Iterator[PackageSet]:
    for source in load_sources(variables["driver_sources"]):
        if source.system == system.name and source.source in _PACKAGED and system.machine in source.machines:
            # Kernel modules of two flavours exclude each other.
            for module in source.kernel_package.values():
                yield PackageSet(system, tuple(sorted((module, *source.packages))), source.pin or "")
