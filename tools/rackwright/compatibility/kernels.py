"""Kernels: what a branch needs, and what the distribution's packages build against."""

from __future__ import annotations

from collections.abc import Iterator

from rackwright.compatibility.model import Compatibility, KernelPackage, KnownFailure
from rackwright.compatibility.version import at_least, within_series
from rackwright.compatibility.wanted import Wanted
from rackwright.hardware.model import Hardware
from rackwright.preflight.finding import HostFinding


def system_of(hardware: Hardware) -> str:
    """Return the system as the tables name it: debian-13, ubuntu-24.04."""
    return f"{hardware.system.distribution.lower()}-{hardware.system.version}"


def known_failure(package: str, version: str, kernel: str, known: Compatibility) -> KnownFailure | None:
    """Return the failure that awaits a module's build against a kernel; None where none is known."""
    for entry in known.known_failures:
        affected = at_least(kernel, entry.kernel_from) and (
            entry.kernel_below is None or not at_least(kernel, entry.kernel_below)
        )
        if affected and (entry.package, entry.version) == (package, version):
            return entry
    return None


def packaged(package: str, version: str, known: Compatibility) -> KernelPackage | None:
    """Return what is known of one version of a package."""
    wanted = (package, version)
    return next((entry for entry in known.kernel_packages if (entry.package, entry.version) == wanted), None)


def builds(entry: KernelPackage, kernel: str, known: Compatibility) -> bool:
    """Whether a package's module should build against a kernel, by all that is known."""
    return (
        within_series(kernel, entry.kernel_max)
        and known_failure(entry.package, entry.version, kernel, known) is None
    )


def kernel_findings(
    hardware: Hardware, wanted: Wanted, branch: int | None, known: Compatibility
) -> Iterator[HostFinding]:
    """Say why a kernel and a driver do not go together."""
    kernel = hardware.system.kernel
    facts = known.branch(branch) if branch is not None else None
    if facts is not None and facts.kernel_min is not None and not at_least(kernel, facts.kernel_min):
        yield HostFinding(
            "error",
            wanted.host,
            "kernel",
            f"kernel {kernel}",
            f"{facts.kernel_min} or newer for driver branch {branch}",
            "upgrade the system; its packaged kernel will do",
        )
    if wanted.package is None or wanted.package_version is None:
        return
    failure = known_failure(wanted.package, wanted.package_version, kernel, known)
    entry = packaged(wanted.package, wanted.package_version, known)
    title = f"{wanted.package} {wanted.package_version} on kernel {kernel}"
    if failure is not None:
        yield HostFinding(
            "error",
            wanted.host,
            "kernel",
            title,
            f"a module that builds: {failure.reason}",
            _instead(hardware, wanted, known) or f"use {failure.instead}",
        )
    elif entry is not None and not within_series(kernel, entry.kernel_max):
        yield HostFinding(
            "error",
            wanted.host,
            "kernel",
            title,
            f"a kernel up to {entry.kernel_max}, the newest that this version was built with",
            _instead(hardware, wanted, known)
            or f"boot a kernel up to {entry.kernel_max}, or take the driver from NVIDIA's repository "
            "(nvidia_driver_source: nvidia)",
        )


def _instead(hardware: Hardware, wanted: Wanted, known: Compatibility) -> str | None:
    """Name another version of the same package that builds, or another package of its branch."""
    kernel = hardware.system.kernel
    good = [
        entry
        for entry in known.kernel_packages
        if entry.system == system_of(hardware) and builds(entry, kernel, known)
    ]
    same = [entry for entry in good if entry.package == wanted.package]
    found = same[-1] if same else None
    return f"use {found.package} {found.version} of {found.suite}" if found else None
