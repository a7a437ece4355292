"""What a machine has: memory, cores, disks and link, against its budget and its tier."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from rackwright.errors import RackwrightError
from rackwright.preflight.finding import HostFinding, Severity
from rackwright.preflight.judge_ports import is_ours
from rackwright.preflight.observations import Filesystem, Observations
from rackwright.preflight.subject import Subject

# Another kernel of the same machine shows a little more or less memory.
_SAME = 0.99
_MIB_PER_GB = 1e9 / (1 << 20)


def budget_findings(subject: Subject, seen: Observations) -> Iterator[HostFinding]:
    """Yield where the inventory counts on more than the machine has."""
    for check, said, there, unit, source, variable in (
        ("memory", subject.memory_mb, seen.memory_mb, "MiB", subject.memory_from, "host_memory_mb"),
        ("cores", subject.cpus, seen.cpus, "cores", subject.cpus_from, "host_cpus"),
    ):
        if said is None:
            yield subject.ok(check, f"{there} {unit}", "what the machine has")
        elif said * _SAME > there:
            yield subject.finding(
                "error",
                check,
                f"{there} {unit}",
                f"{said} {unit} ({source})",
                "`rackwright scan` writes down what the machine has now"
                if source == "scan"
                else f"write {variable}: {there} or less, or take the variable away",
            )
        else:
            yield subject.ok(check, f"{there} {unit}", f"{said} {unit} ({source})")


def plan_findings(subject: Subject, seen: Observations) -> Iterator[HostFinding]:
    """Yield why the services cannot share the machine."""
    if subject.plan is None:
        return
    memory_mb, cpus = subject.memory_mb or seen.memory_mb, subject.cpus or seen.cpus
    needed = "enough for every service of this host"
    try:
        subject.plan(memory_mb, cpus)
    except RackwrightError as error:
        yield subject.finding(
            "error", "budget", f"{memory_mb} MiB, {cpus} cores: {error.message}", needed, error.hint or ""
        )
    else:
        yield subject.ok("budget", f"{memory_mb} MiB, {cpus} cores", needed)


def minimum_findings(subject: Subject, seen: Observations) -> Iterator[HostFinding]:
    """Yield what the machine lacks to the tier's minimum and recommended machine.

    They are for the machines that serve models or hold data; on the latter what is missing is a warning,
    since the tier describes both in one.
    """
    tier = subject.tier
    holds_data = any(service.memory is not None for service in subject.services.values())
    if tier is None or not (subject.inference or holds_data):
        return
    share = 1 - subject.limits.machine_tolerance_percent / 100
    memory_mb = min(filter(None, (subject.memory_mb, seen.memory_mb)), default=0)
    cpus = min(filter(None, (subject.cpus, seen.cpus)), default=0)
    speed = link_gbps(subject, seen)
    severity: Severity = "error" if subject.inference else "warning"
    least, good = tier.machine.minimum, tier.machine.recommended
    rows: list[tuple[str, float | None, float, float, str, str]] = [
        ("cores", cpus, least.cores, good.cores, "cores", "a machine with more cores"),
        ("memory", memory_mb / _MIB_PER_GB, least.memory_gb, good.memory_gb, "GB", "more memory"),
        ("disk", seen.disks_gb or None, least.disk_gb, good.disk_gb, "GB of disks", "another disk"),
        ("network", speed, least.network_gbps, good.network_gbps, "Gbit/s", "a faster link"),
    ]
    for check, there, minimum, recommended, unit, remedy in rows:
        if there is None:
            continue
        # Cores and links are counted, they have no tolerance.
        factor = share if check in {"memory", "disk"} else 1.0
        found = f"{there:.3g} {unit}" if there < 1000 else f"{there:.0f} {unit}"  # noqa: PLR2004 - digits
        if there < minimum * factor:
            yield subject.finding(
                severity,
                f"tier_{check}",
                found,
                f"{minimum} {unit}: the least of tier “{tier.title}”",
                f"{remedy}, a smaller tier, or fewer services on this host",
            )
        elif there < recommended * factor:
            yield subject.finding(
                "info",
                f"tier_{check}",
                found,
                f"{recommended} {unit}: recommended for tier “{tier.title}”",
                f"{remedy} when it gets slow",
            )
        else:
            yield subject.ok(f"tier_{check}", found, f"{minimum} {unit}")


def link_gbps(subject: Subject, seen: Observations) -> float | None:
    """Return the speed of the link that has the host's address, in Gbit/s; None where it is not told."""
    for interface in seen.interfaces or []:
        if any(address.partition("/")[0] == subject.address for address in interface.addresses):
            return interface.speed_mbps / 1000 if interface.speed_mbps else None
    return None


def disk_findings(subject: Subject, seen: Observations) -> Iterator[HostFinding]:
    """Yield file systems that have too little space for what will be put on them.

    What runs here already has taken its space, so it needs no more.
    """
    limits = subject.limits
    running = {
        name
        for name, service in subject.services.items()
        if any(is_ours(name, service, listener) for listener in seen.listeners)
    }
    needs: dict[str, dict[str, int]] = defaultdict(dict)
    mounts: dict[str, Filesystem] = {}
    for name in ("host", *subject.services):
        if name in running:
            continue
        for need in limits.disk.get(name, []):
            under = filesystem_of(need.path, seen.filesystems)
            if under is not None:
                mounts[under.mount] = under
                needs[under.mount][name] = needs[under.mount].get(name, 0) + need.free_mb
    for mount, entry in sorted(mounts.items()):
        total = sum(needs[mount].values())
        whose = ", ".join(f"{name} {free}" for name, free in needs[mount].items())
        needed = f"{total} MiB free on {mount} ({whose})"
        if entry.free_mb < total:
            yield subject.finding(
                "error",
                "disk",
                f"{entry.free_mb} MiB free on {mount}",
                needed,
                f"free some space (`du -xhd1 {mount}`), make it larger, or mount a disk for the data",
            )
        elif entry.inodes_free_percent is not None and entry.inodes_free_percent < limits.inodes_free_percent:
            yield subject.finding(
                "error",
                "disk",
                f"{entry.inodes_free_percent} % of the inodes free on {mount}",
                f"{limits.inodes_free_percent} % of them free",
                f"find the directory with countless small files: `du --inodes -xd1 {mount}`",
            )
        else:
            yield subject.ok("disk", f"{entry.free_mb} MiB free on {mount}", needed)


def filesystem_of(path: str, filesystems: list[Filesystem]) -> Filesystem | None:
    """Return the file system that a path will be on, by the nearest path that was looked at."""
    fitting = [
        entry for entry in filesystems if entry.path in {path, "/"} or path.startswith(f"{entry.path}/")
    ]
    return max(fitting, key=lambda entry: len(entry.path), default=None)
