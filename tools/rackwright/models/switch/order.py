"""The order that playbooks/switch_model.yml carries out, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rackwright.models.switch.room import Room
from rackwright.models.switch.site import Serving
from rackwright.models.switch.target import Target
from rackwright.models.switch.ways import Value, instances, names_of


@dataclass(frozen=True)
class Wish:
    """How to switch.

    Attributes:
        stop_first: Stop the old model before the new one is loaded, one host after the other.
        prove: Ask the golden prompts.
        accept_slow: Take a model that is slower than the tier promises.
        port: Of the first of the second servers, on the host itself; the firewall opens it to nobody.
        drain_seconds: How long connections to the old model may go on.
        callers: Give the app, and the route before the engines, the new name.
    """

    stop_first: bool = False
    prove: bool = True
    accept_slow: bool = False
    port: int = 18080
    drain_seconds: int = 300
    callers: bool = True


def order(
    serving: Serving, before: Value, after: Value, target: Target, rooms: Mapping[str, Room], wish: Wish
) -> dict[str, Any]:
    """Return what the playbook is told.

    Args:
        serving: The hosts.
        before: What they serve.
        after: What they are to serve.
        target: The new model.
        rooms: What each host has.
        wish: How to switch.
    """
    way = serving.way
    ours = instances(way, before)
    second = way.beside == "container" and not wish.stop_first
    asked = [wish.port + number for number in range(len(ours))] if second else []
    # Of vLLM the new instances alone; the others serve the whole of what is there.
    beside = [way.entries(after)[number] for number in ours] if way.engine == "vllm" else after
    promise = dict(serving.variables["tiers"][serving.variables["tier"]]["promise"])
    return {
        "engine": way.engine,
        "hosts": list(serving.hosts),
        "name": target.name,
        "build": target.build,
        "before": before,
        "after": after,
        # What a refused model leaves behind in a server that holds several.
        "added": sorted(set(names_of(way, after)) - set(names_of(way, before))),
        "second": {"container": way.second, "ports": asked, "value": beside} if second else None,
        "asked_ports": asked or [serving.ports[number] for number in (ours if way.engine == "vllm" else [0])],
        "moves": [
            {
                "port": serving.ports[number if way.engine == "vllm" else 0],
                "container": way.container(number if way.engine == "vllm" else 0),
                "to": f"{way.second}_{place}" if place else way.second,
                "container_port": way.inner_port,
            }
            for place, number in enumerate(ours)
            if second
        ],
        "in_turn": wish.stop_first,
        "prove": wish.prove,
        "promise": {} if wish.accept_slow else promise,
        "memory_mb": {host: _second_mb(serving, host, room, len(ours)) for host, room in rooms.items()},
        "drain_seconds": wish.drain_seconds,
    }


def _second_mb(serving: Serving, host: str, room: Room, instances_count: int) -> int:
    """Return the memory of a host's second servers together.

    Where GPUs hold the models it is as much as the first ones have, which is used while they load.
    """
    memory = int(serving.hosts[host].settings["memory_mb"])
    if room.what == "memory":
        return room.second_mb
    everything = len(serving.way.entries(serving.current()))
    return memory * instances_count // everything if serving.way.engine == "vllm" else memory
