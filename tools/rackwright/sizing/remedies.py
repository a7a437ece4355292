"""Why a host is refused, and the smallest changes of which each alone would have it accepted.

Every change is tried before it is named: what looks like enough for the part that refused may not be enough
for the host as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from rackwright.sizing.budget import SMALLEST_MACHINE_MB, ServiceShare
from rackwright.sizing.host import HostRequest, HostSizing, size_host
from rackwright.sizing.refusal import Change, RefusedError

# No machine is larger; a change that would ask for more is none.
LARGEST_MEMORY_MB = 64 * 1024**2
LARGEST_DISK_GB = 10**6
MOST_CHANGES = 20
_MINIMUM = re.compile(r"services\.(\w+)\.memory\.(minimum_mb|weight)")


def size_host_or_explain(request: HostRequest) -> HostSizing:
    """Size a host as `size_host` does.

    Raises:
        RefusedError: It cannot work; each of `changes`, applied alone, was accepted.
    """
    try:
        return size_host(request)
    except RefusedError as error:
        raise RefusedError(error.message, tuple(_remedies(request, error))) from error


def apply_change(request: HostRequest, change: Change) -> HostRequest:
    """Return the host with a change, and what belongs to it, applied."""
    for other in change.also:
        request = apply_change(request, other)
    if change.variable == "move":
        return request.without(str(change.value))
    if change.variable == "host_memory_mb":
        return replace(request, machine=replace(request.machine, memory_mb=int(change.value)))
    if change.variable == "host_cpus":
        return replace(request, machine=replace(request.machine, cpus=int(change.value)))
    if change.variable == "host_disk_gb":
        return replace(request, machine=replace(request.machine, disk_gb=int(change.value)))
    named = _MINIMUM.fullmatch(change.variable)
    if named:
        old = request.services[named[1]] or ServiceShare(1, 1)
        share = replace(old, **{named[2]: int(change.value)})
        return replace(request, services={**request.services, named[1]: share})
    return replace(request, options={**request.options, change.variable: change.value})


def _remedies(request: HostRequest, error: RefusedError) -> Iterator[Change]:
    named = set()
    for change in _candidates(request, error):
        key = (change.variable, change.value)
        if key not in named and _accepted(apply_change(request, change)):
            named.add(key)
            yield change
    if not named:
        yield from _together(request)


def _candidates(request: HostRequest, error: RefusedError) -> Iterator[Change]:
    own = [
        change
        for change in error.changes
        if change.variable not in {"host_memory_mb", "host_disk_gb", "move"}
    ]
    yield from own
    memory = _smallest(request, "host_memory_mb", request.machine.memory_mb, LARGEST_MEMORY_MB)
    if memory is not None:
        text = f"give it {memory} MB (host_memory_mb)"
        yield Change("host_memory_mb", memory, text)
    disk = request.machine.disk_gb
    enough = None if disk is None else _smallest(request, "host_disk_gb", disk, LARGEST_DISK_GB)
    if enough is not None:
        yield Change("host_disk_gb", enough, f"give it a data disk of {enough} GB (host_disk_gb)")
    yield from _moves(request, error)


def _moves(request: HostRequest, error: RefusedError) -> Iterator[Change]:
    """The one service to move that frees the least, or the one that the refusal is about."""
    told = [change for change in error.changes if change.variable == "move"]
    by_size = sorted((share.minimum_mb if share else 0, name) for name, share in request.services.items())
    for change in told:
        if _accepted(apply_change(request, change)):
            yield change
            return
    for minimum, name in by_size:
        change = Change("move", name, f"move {name} ({minimum} MB) to another host")
        if len(request.services) > 1 and _accepted(apply_change(request, change)):
            yield change
            return


def _together(request: HostRequest) -> Iterator[Change]:
    """Where no single change is enough: what each part that refuses asks for, one after the other."""
    needed: dict[str, Change] = {}
    for _ in range(MOST_CHANGES):
        try:
            size_host(request)
        except RefusedError as error:
            if not error.changes:
                return
            change = error.changes[0]
            # A variable that is raised twice is set once, to the later value; services can all be moved.
            key = f"move {change.value}" if change.variable == "move" else change.variable
            needed[key] = change
            request = apply_change(request, change)
        else:
            changes = tuple(needed.values())
            text = " and ".join(change.text for change in changes)
            yield replace(changes[-1], text=text, also=changes[:-1])
            return


def _smallest(request: HostRequest, variable: str, now: int, limit: int) -> int | None:
    """Return the smallest value above `now` that is accepted; None when none is."""

    def fits(value: int) -> bool:
        return _accepted(apply_change(request, Change(variable, value, "")))

    low, high = max(now, 0), max(now * 2, SMALLEST_MACHINE_MB if variable == "host_memory_mb" else 1)
    while not fits(high):
        if high >= limit:
            return None
        low, high = high, min(limit, high * 2)
    return _bisect(fits, low, high)


def _bisect(fits: Callable[[int], bool], low: int, high: int) -> int:
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high


def _accepted(request: HostRequest) -> bool:
    try:
        size_host(request)
    except RefusedError:
        return False
    return True
