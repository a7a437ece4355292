"""Which tier fits the machines there are and the people who will use them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rackwright.hardware.model import Hardware
from rackwright.tiers.model import MachineSize, Tier

# For rehearsals: suggested only where the machines allow nothing else.
REHEARSAL = "lab"
# Firmware and kernel keep a part of what is sold: of 32 GB /proc/meminfo shows 31.1 GiB, of a GPU's 24 GB are
# 22.5 GiB left with ECC on.
_SOLD = 0.9
_MIB = 2**20
_GB = 10**9


@dataclass(frozen=True)
class Suggestion:
    """A tier, and why.

    Attributes:
        tier: Its name.
        reason: One sentence for the operator.
        shortfalls: What the strongest machine lacks of the tier that the users need; empty when it fits.
    """

    tier: str
    reason: str
    shortfalls: tuple[str, ...] = ()


def suggest_tier(
    machines: Sequence[Hardware], concurrent_users: int | None, tiers: Mapping[str, Tier]
) -> Suggestion:
    """Suggest a tier.

    The people decide what is wanted: the smallest tier for as many. The machines decide what is possible: the
    largest tier whose minimum the strongest of them meets (it is that of the machine that serves model and
    data). The smaller of the two is suggested. Where nobody has said how many people there are, the machines
    decide alone; where no machine is known, the people.

    Args:
        machines: Hardware of the site's hosts; may be empty.
        concurrent_users: People who use the platform at the same time, 1 or more.
        tiers: All tiers by name, from `load_tiers`; `lab` is taken last of all.
    """
    names = sorted((name for name in tiers if name != REHEARSAL), key=lambda name: _people(tiers[name]))
    if concurrent_users is None:
        wanted = names[-1] if machines else names[0]
    else:
        enough = [name for name in names if _people(tiers[name]) >= concurrent_users]
        wanted = enough[0] if enough else names[-1]
    asked = f"{concurrent_users} people at the same time" if concurrent_users else "no number of people given"
    if not machines:
        return Suggestion(wanted, f"{asked}; no machine has been looked at")
    possible = [name for name in names if any(meets(tiers[name].machine.minimum, item) for item in machines)]
    if wanted in possible:
        return Suggestion(wanted, f"{asked}, and a machine that meets its minimum")
    smaller = [name for name in possible if names.index(name) <= names.index(wanted)]
    lacking = min((shortfalls(tiers[wanted].machine.minimum, item) for item in machines), key=len)
    if smaller:
        reason = f"{asked}; {wanted} needs more than the strongest machine has"
        return Suggestion(smaller[-1], reason, lacking if concurrent_users else ())
    reason = f"no machine meets the minimum of {names[0]}: a rehearsal is possible, with a small model"
    lacking = min((shortfalls(tiers[names[0]].machine.minimum, item) for item in machines), key=len)
    return Suggestion(REHEARSAL if REHEARSAL in tiers else names[0], reason, lacking)


def meets(size: MachineSize, machine: Hardware) -> bool:
    """Tell whether a machine has everything that a size asks."""
    return not shortfalls(size, machine)


def shortfalls(size: MachineSize, machine: Hardware) -> tuple[str, ...]:
    """Return what a machine lacks of a size, with both figures; what nobody knows is not held against it."""
    found = []
    if machine.cpu.threads < size.cores:
        found.append(f"{machine.cpu.threads} of {size.cores} cores")
    memory_gb = machine.memory_mb * _MIB / _GB
    if memory_gb < size.memory_gb * _SOLD:
        found.append(f"{memory_gb:.0f} of {size.memory_gb} GB memory")
    enough = [
        gpu for gpu in machine.gpus if not gpu.vram_mb or gpu.vram_mb * _MIB / _GB >= size.vram_gb * _SOLD
    ]
    if len(enough) < size.gpus:
        found.append(f"{len(enough)} of {size.gpus} GPUs with {size.vram_gb} GB")
    disk_gb = sum(disk.size_gb for disk in machine.disks)
    if machine.disks and disk_gb < size.disk_gb * _SOLD:
        found.append(f"{disk_gb} of {size.disk_gb} GB disk")
    speeds = [interface.speed_mbps for interface in machine.network if interface.speed_mbps]
    if speeds and max(speeds) < size.network_gbps * 1000:
        found.append(f"{max(speeds) / 1000:g} of {size.network_gbps} Gbit/s network")
    return tuple(found)


def _people(tier: Tier) -> int:
    return tier.users.concurrent
