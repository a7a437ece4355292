"""What a command line or a site asks the planner about: machines, models, settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from rackwright.errors import RackwrightError
from rackwright.hardware.model import Hardware
from rackwright.models.catalogue import find_model, models_of
from rackwright.models.choice import RAM_SHARE
from rackwright.models.devices import Gpus, Machine, machine_of, parse_gpus
from rackwright.models.engines import CACHE_BITS, ENGINES
from rackwright.models.fit import Wish
from rackwright.models.model import Models
from rackwright.site.paths import repository_root
from rackwright.tiers.load import tier_of
from rackwright.tiers.model import Tier

GROUP = "inference"
_GIB = 1024


def machine_of_options(
    gpu: str | None, vram_gb: int | None, count: int, ram_gb: int | None
) -> Machine | None:
    """Return the machine that options describe; None where they describe none.

    Raises:
        RackwrightError: They describe two.
    """
    if gpu and vram_gb:
        raise RackwrightError("--gpu and --vram-gb both say which GPUs there are", hint="give one of them")
    ram = (ram_gb or 0) * _GIB
    if gpu:
        return Machine(parse_gpus(gpu), ram)
    if vram_gb:
        return Machine(Gpus(f"GPU with {vram_gb} GiB", count, vram_gb * _GIB), ram)
    return Machine(None, ram) if ram_gb else None


def machines_of_site(inventory: Sequence[Path]) -> tuple[Models, dict[str, Machine], Tier]:
    """Return a site's models, the machines of its inference hosts, and its tier.

    Raises:
        RackwrightError: There is no such host, or one that was not scanned.
    """
    # Loads Ansible, which takes a second.
    from rackwright.site.inventory import load_inventory  # noqa: PLC0415

    loaded = load_inventory(inventory or (repository_root() / "inventories" / "lab",))
    hosts = loaded.members(GROUP)
    if not hosts:
        raise RackwrightError(
            f"the inventory has no host in the group {GROUP}",
            hint="add one, or describe a machine: --gpu a100-40gb:2, --vram-gb 24 --gpus 1, --ram-gb 32",
        )
    machines = {host: _machine(host, loaded.hosts[host].variables) for host in hosts}
    variables = loaded.hosts[hosts[0]].variables
    return models_of(variables), machines, tier_of(variables)


def keys_of(models: Models, names: Sequence[str], purpose: str | None) -> list[str]:
    """Return the models that are asked for by name and purpose; all by default.

    Raises:
        RackwrightError: A name is none of theirs.
    """
    for name in names:
        find_model(models, name)
    return [
        key
        for key, model in models.models.items()
        if (not names or key in names) and (purpose is None or purpose in model.purposes)
    ]


def check_wish(models: Models, wish: Wish) -> None:
    """Refuse words that mean nothing.

    Raises:
        RackwrightError: No such engine, quantisation or cache.
    """
    for what, word, known in (
        ("engine", wish.engine, ENGINES),
        ("quantisation", wish.quantisation, models.quantisations),
        ("cache", wish.cache, CACHE_BITS),
    ):
        if word is not None and word not in known:
            raise RackwrightError(f"there is no {what} {word!r}", hint=f"one of {', '.join(known)}")


def _machine(host: str, variables: Mapping[str, object]) -> Machine:
    if "hardware" not in variables:
        raise RackwrightError(
            f"the hardware of {host} is not known",
            hint="run `rackwright scan -i <inventory>`, or describe a machine: --gpu, --vram-gb, --ram-gb",
        )
    try:
        hardware = Hardware.model_validate(variables["hardware"], strict=True)
    except ValidationError as error:
        raise RackwrightError(
            f"the hardware of {host} cannot be read: {error.errors()[0]['msg']}",
            hint="scan it again: `rackwright scan -i <inventory>`",
        ) from error
    asked = variables.get("host_memory_mb")
    memory = asked if isinstance(asked, int) else hardware.memory_mb
    return machine_of(hardware, round(memory * RAM_SHARE))
