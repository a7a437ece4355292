"""Architectures and driver branches: which branch and which kernel modules drive which GPUs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator

from rackwright.compatibility.model import ArchitectureFacts, BranchFacts, Compatibility, Flavour
from rackwright.compatibility.wanted import Wanted
from rackwright.hardware.model import Architecture, Hardware
from rackwright.preflight.finding import HostFinding


def architectures_of(hardware: Hardware) -> list[Architecture]:
    """Return the architectures of a host's GPUs, oldest first, each once."""
    order = list(Architecture.__args__)  # type: ignore[attr-defined]
    return sorted({gpu.architecture for gpu in hardware.gpus}, key=order.index)


def serves(facts: ArchitectureFacts, branch: int) -> bool:
    """Whether a branch knows an architecture."""
    return facts.first_branch <= branch and (facts.last_branch is None or branch <= facts.last_branch)


def branches_for(architectures: Iterable[Architecture], known: Compatibility) -> list[BranchFacts]:
    """Return the branches that know all of these architectures and have modules for them, oldest first."""
    facts = [known.architectures[name] for name in architectures if name in known.architectures]
    return [
        entry
        for entry in known.branches
        if all(serves(fact, entry.branch) for fact in facts) and flavours_for(facts, entry)
    ]


def flavours_for(facts: Iterable[ArchitectureFacts], branch: BranchFacts) -> list[Flavour]:
    """Return the flavours of a branch's modules that drive these architectures; the better one first."""
    needs = {fact.open_modules for fact in facts}
    order: list[Flavour] = {
        "none": ["proprietary"],
        "early": ["proprietary", "open"],
        "recommended": ["open", "proprietary"],
        "only": ["open"],
    }[branch.open_modules]  # type: ignore[assignment]
    if "impossible" in needs:
        order = [flavour for flavour in order if flavour != "open"]
    if "required" in needs:
        order = [flavour for flavour in order if flavour != "proprietary"]
    return order


def driver_findings(
    hardware: Hardware, wanted: Wanted, branch: int | None, known: Compatibility
) -> Iterator[HostFinding]:
    """Say what is wrong with the branch and the flavour for the GPUs of a host."""
    names = architectures_of(hardware)
    for name in names:
        if name not in known.architectures:
            models = ", ".join(sorted({gpu.model for gpu in hardware.gpus if gpu.architecture == name}))
            yield HostFinding(
                "warning",
                wanted.host,
                "gpu",
                f"{models}: its architecture is not known here",
                "a GPU of group_vars/all/gpus.yml",
                "add it there with its architecture, or set the driver's branch by nvidia_driver_branch",
            )
    possible = branches_for(names, known)
    if not possible and any(name in known.architectures for name in names):
        yield _no_common(names, wanted, known)
        return
    if branch is None:
        return
    facts = known.branch(branch)
    if facts is None:
        listed = ", ".join(str(entry.branch) for entry in known.branches)
        yield HostFinding(
            "warning", wanted.host, "driver", f"branch {branch}", f"one of {listed}", _choose(possible)
        )
        return
    wrong = [name for name in names if name in known.architectures and not _knows(name, branch, known)]
    for name in wrong:
        yield _unknown_to(name, branch, wanted, possible, known)
    if not wrong:
        yield from _flavour_findings(names, facts, wanted, possible, known)
    yield from _end_of_life(facts, wanted, possible)


def _knows(name: Architecture, branch: int, known: Compatibility) -> bool:
    return serves(known.architectures[name], branch)


def _unknown_to(
    name: Architecture, branch: int, wanted: Wanted, possible: list[BranchFacts], known: Compatibility
) -> HostFinding:
    facts = known.architectures[name]
    if facts.last_branch is not None and branch > facts.last_branch:
        needed = f"branch {facts.last_branch} or older: {facts.last_branch} is the last for {name}"
    else:
        needed = f"branch {facts.first_branch} or newer: older ones do not know {name}"
    return HostFinding(
        "error", wanted.host, "driver", f"branch {branch} with a {name} GPU", needed, _choose(possible)
    )


def _no_common(names: list[Architecture], wanted: Wanted, known: Compatibility) -> HostFinding:
    facts = {name: known.architectures[name] for name in names if name in known.architectures}
    span = "; ".join(
        f"{name}: {fact.first_branch} to {fact.last_branch or 'now'}, open modules {fact.open_modules}"
        for name, fact in facts.items()
    )
    return HostFinding(
        "error",
        wanted.host,
        "driver",
        f"GPUs of {' and '.join(names)} in one machine",
        f"one driver for all of them ({span})",
        f"take the {names[0]} or the {names[-1]} GPUs out of this machine; no driver runs both",
    )


def _flavour_findings(
    names: list[Architecture],
    branch: BranchFacts,
    wanted: Wanted,
    possible: list[BranchFacts],
    known: Compatibility,
) -> Iterator[HostFinding]:
    facts = [known.architectures[name] for name in names if name in known.architectures]
    allowed = flavours_for(facts, branch)
    if not allowed:
        yield HostFinding(
            "error",
            wanted.host,
            "driver_flavour",
            f"branch {branch.branch} (open modules: {branch.open_modules}) with {' and '.join(names)}",
            "kernel modules that drive these GPUs",
            _choose(possible),
        )
    elif wanted.flavour is not None and wanted.flavour not in allowed:
        why = _why_not(wanted.flavour, names, branch, known)
        yield HostFinding(
            "error",
            wanted.host,
            "driver_flavour",
            f"{wanted.flavour} kernel modules of branch {branch.branch}",
            f"{allowed[0]} kernel modules: {why}",
            f"nvidia_driver_flavour: {allowed[0]}, or leave it out",
        )


def _why_not(flavour: Flavour, names: list[Architecture], branch: BranchFacts, known: Compatibility) -> str:
    needs = "impossible" if flavour == "open" else "required"
    because = [name for name in names if known.architectures[name].open_modules == needs]
    if because and flavour == "open":
        return f"{', '.join(because)} has no GSP processor, which the open ones need"
    if because:
        return f"NVIDIA drives {', '.join(because)} by the open ones alone"
    return f"branch {branch.branch} has no {flavour} ones"


def _end_of_life(branch: BranchFacts, wanted: Wanted, possible: list[BranchFacts]) -> Iterator[HostFinding]:
    if wanted.today is None or not ended(branch, wanted.today):
        return
    alive = [entry for entry in possible if not ended(entry, wanted.today)]
    yield HostFinding(
        "warning",
        wanted.host,
        "driver_support",
        f"branch {branch.branch}: support ended {branch.ends}",
        "a branch that still gets security fixes",
        _choose(alive) if alive else "no branch for these GPUs is supported any more: plan their replacement",
    )


def ended(branch: BranchFacts, today: dt.date) -> bool:
    """Whether a branch's support is over; its last month still counts."""
    return branch.ends is not None and branch.ends < today.strftime("%Y-%m")


def _choose(possible: list[BranchFacts]) -> str:
    if not possible:
        return "no branch drives these GPUs"
    best = next((entry for entry in reversed(possible) if entry.kind == "long_term"), possible[-1])
    return f"nvidia_driver_branch: {best.branch}, or leave it out and the branch is chosen"
