"""The operating system: release, Python, systemd, control groups, clock, file systems, other software."""

from __future__ import annotations

from collections.abc import Iterator

from rackwright.preflight.finding import HostFinding, Severity
from rackwright.preflight.observations import Observations
from rackwright.preflight.subject import Subject

_WRITABLE = ("/", "/etc", "/usr", "/var", "/var/lib", "/var/log")
# Package or unit -> what it does to us.
_FIREWALLS = {
    "firewalld": "it writes packet filter rules of its own",
    "netfilter-persistent": "it loads packet filter rules of its own at every start",
    "iptables-persistent": "it loads packet filter rules of its own at every start",
}
_DOCKERS = {
    "docker-ce": "it conflicts with the distribution's docker.io, which the role installs",
    "podman-docker": "its `docker` is Podman",
}


def system_findings(subject: Subject, seen: Observations) -> Iterator[HostFinding]:
    """Yield what is found of release, architecture and Python."""
    limits = subject.limits
    needed = f"one of {', '.join(limits.systems)}"
    reasons = unsupported(subject, seen.os)
    if seen.os not in limits.systems:
        yield subject.finding(
            "error",
            "system",
            seen.os,
            needed,
            "install one of these; the roles know the packages of no other",
        )
    elif reasons:
        for role, reason in reasons.items():
            yield subject.finding(
                "error", "system", f"{seen.os}, where role {role} cannot work", needed, reason
            )
    elif seen.architecture not in limits.architectures:
        yield subject.finding(
            "error",
            "system",
            f"{seen.os} on {seen.architecture}",
            f"{needed} on {' or '.join(limits.architectures)}",
            "use a machine with one of these processors",
        )
    else:
        yield subject.ok("system", f"{seen.os}, {seen.architecture}", needed)
    python = f"Python {limits.python} or newer"
    if _version(seen.python) < _version(limits.python):
        yield subject.finding(
            "error",
            "python",
            seen.python,
            python,
            "upgrade the system, or name a newer one by ansible_python_interpreter",
        )
    else:
        yield subject.ok("python", seen.python, python)


def unsupported(subject: Subject, system: str) -> dict[str, str]:
    """Return for each role of the host that does not support its system why not."""
    found = {}
    for role, reasons in subject.unsupported.items():
        for key in (system, system.partition("-")[0], "default"):
            if key in reasons:
                if reasons[key]:
                    found[role] = reasons[key]
                break
    return found


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def base_findings(subject: Subject, seen: Observations) -> Iterator[HostFinding]:
    """Yield what is found of systemd, control groups, name and the time service."""
    if seen.systemd:
        yield subject.ok("systemd", "it runs", "systemd")
    else:
        yield subject.finding(
            "error",
            "systemd",
            "another init",
            "systemd",
            "boot with it: every service is one of its units",
        )
    if seen.cgroup_version == 2:  # noqa: PLR2004 - the version itself
        yield subject.ok("cgroup", "version 2", "control groups, version 2")
    elif seen.container:
        yield subject.ok("cgroup", "version 1, the whole machine's", "control groups, version 2")
    else:
        yield subject.finding(
            "warning",
            "cgroup",
            "version 1",
            "control groups, version 2",
            "boot with systemd.unified_cgroup_hierarchy=1: services' memory limits are exact only there",
        )
    if seen.hostname.partition(".")[0] != subject.name:
        yield subject.finding(
            "info",
            "hostname",
            seen.hostname,
            subject.name,
            f"`hostnamectl hostname {subject.name}`, so that logs name the host as the inventory does",
        )
    else:
        yield subject.ok("hostname", seen.hostname, subject.name)
    yield _time_service(subject, seen)


def _time_service(subject: Subject, seen: Observations) -> HostFinding:
    needed = "a clock that a time service keeps right"
    if seen.container:
        return subject.ok("time_sync", "the machine's own clock", needed)
    if seen.clock_synchronised:
        return subject.ok("time_sync", "it is kept right", needed)
    found = "nobody keeps it right" if seen.clock_synchronised is False else "the kernel does not say"
    if subject.ntp_servers:
        return subject.finding(
            "info", "time_sync", found, needed, "nothing: apply sets it up with the site's ntp_servers"
        )
    return subject.finding(
        "warning",
        "time_sync",
        found,
        needed,
        "give the site ntp_servers: [<address>, …]; tokens and certificates fail when clocks drift apart",
    )


def clock_finding(subject: Subject, seen: Observations, window: tuple[float, float]) -> HostFinding:
    """Return how far the clock is off the control node's, as far as the call proves it.

    The host read its clock after the call began and before it ended, so its offset lies between the two
    differences; what lies nearest to none is proved.
    """
    before, after = window
    lowest, highest = seen.ended - after, seen.started - before
    skew = lowest if lowest > 0 else min(highest, 0.0)
    limits = subject.limits
    needed = f"within {limits.clock_warning_seconds:g} s of the control node"
    if abs(skew) <= limits.clock_warning_seconds:
        return subject.ok("clock", "in time", needed)
    severity: Severity = "error" if abs(skew) > limits.clock_error_seconds else "warning"
    return subject.finding(
        severity,
        "clock",
        f"{duration(abs(skew))} {'fast' if skew > 0 else 'slow'}",
        needed,
        "set the clock of whichever of the two is wrong (`date` on both); give the site ntp_servers",
    )


def duration(seconds: float) -> str:
    """Return seconds for people: 12.3 s, 4.2 min, 7.0 h, 3.5 days."""
    for limit, unit in ((120, 1), (7200, 60), (172800, 3600)):
        if seconds < limit:
            return f"{seconds / unit:.1f} {'s' if unit == 1 else 'min' if unit == 60 else 'h'}"  # noqa: PLR2004
    return f"{seconds / 86400:.1f} days"


def filesystem_findings(subject: Subject, seen: Observations) -> Iterator[HostFinding]:
    """Yield file systems that cannot be written, and what is wrong with /tmp."""
    by_path = {entry.path: entry for entry in seen.filesystems}
    locked = sorted(
        {by_path[path].mount for path in _WRITABLE if path in by_path and by_path[path].read_only}
    )
    if locked:
        yield subject.finding(
            "error",
            "read_only",
            f"read-only: {', '.join(locked)}",
            "file systems that can be written",
            "look into `journalctl -k` for disk errors, repair with fsck, mount it for writing",
        )
    else:
        yield subject.ok("read_only", "all can be written", "file systems that can be written")
    temporary = by_path.get("/tmp")  # noqa: S108 - the path itself is the subject
    if temporary is None:
        return
    needed = f"{subject.limits.temporary_mb} MiB free, programs may be started there"
    if (
        temporary.read_only
        or temporary.free_mb < subject.limits.temporary_mb
        or temporary.inodes_free_percent == 0
    ):
        found = "read-only" if temporary.read_only else f"{temporary.free_mb} MiB free"
        yield subject.finding("error", "tmp", found, needed, "empty /tmp, or give it more space")
    elif temporary.noexec:
        yield subject.finding(
            "warning",
            "tmp",
            "mounted noexec",
            needed,
            'write APT::ExtractTemplates::TempDir "/var/tmp"; to /etc/apt/apt.conf.d/50tmp',
        )
    else:
        yield subject.ok("tmp", f"{temporary.free_mb} MiB free", needed)


def conflict_findings(subject: Subject, seen: Observations) -> Iterator[HostFinding]:
    """Yield other software that gets in the way of ours."""
    found: dict[str, tuple[str, str]] = {}
    for name, reason in _FIREWALLS.items():
        if name in seen.units or (name in seen.packages and name != "firewalld"):
            found[name] = (reason, f"systemctl disable --now {name}, or remove the package")
    if seen.ufw:
        found["ufw"] = ("it writes packet filter rules of its own", "ufw disable")
    if "docker" in subject.services:
        for name, reason in _DOCKERS.items():
            if name in seen.packages:
                found[name] = (reason, f"apt-get remove {name}")
        if seen.docker_snap or "snap.docker.dockerd" in seen.units:
            found["docker (snap)"] = (
                "it may reach its own directories alone, and takes /run/docker.sock",
                "snap remove docker",
            )
    for name, (reason, mend) in found.items():
        yield subject.finding(
            "error",
            "conflicts",
            f"{name}: {reason}",
            "no software in the way",
            f"{mend}; save what it holds first",
        )
    if not found:
        yield subject.ok("conflicts", "none known", "no software in the way")
