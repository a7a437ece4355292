"""What containers use: Docker's own numbers, without a further program beside it."""

from __future__ import annotations

from typing import Any

from rackwright.host_metrics.commands import ask_docker
from rackwright.host_metrics.exposition import Family

_NANO = 1e9


def containers() -> list[Family]:
    """Return memory, cores, network, restarts and state of every container.

    Raises:
        UnavailableError: Docker does not answer.
    """
    found = {
        name: Family(f"rackwright_container_{name}", told, kind)
        for name, told, kind in (
            ("running", "Whether a container runs.", "gauge"),
            ("healthy", "Whether its health check is content; only of containers that have one.", "gauge"),
            ("restarts_total", "How often Docker started it again.", "counter"),
            ("memory_bytes", "Memory that it uses, without the page cache that could be dropped.", "gauge"),
            ("memory_limit_bytes", "Memory that it may use.", "gauge"),
            ("cpu_seconds_total", "Time of the cores that it used.", "counter"),
            ("network_receive_bytes_total", "What came in.", "counter"),
            ("network_transmit_bytes_total", "What went out.", "counter"),
        )
    }
    for container in ask_docker("/containers/json?all=1"):
        name = container["Names"][0].lstrip("/")
        detail = ask_docker(f"/containers/{container['Id']}/json")
        state = detail["State"]
        found["running"].set(float(bool(state["Running"])), container=name)
        found["restarts_total"].set(float(detail.get("RestartCount", 0)), container=name)
        if health := state.get("Health"):
            found["healthy"].set(float(health["Status"] == "healthy"), container=name)
        if state["Running"]:
            usage = ask_docker(f"/containers/{container['Id']}/stats?stream=false&one-shot=true")
            _usage(found, name, usage)
    return list(found.values())


def _usage(found: dict[str, Family], name: str, usage: dict[str, Any]) -> None:
    memory = usage.get("memory_stats") or {}
    if "usage" in memory:
        # The key is that of cgroup v2, and the other that of v1; both are what could be dropped.
        stats = memory.get("stats") or {}
        cache = stats.get("inactive_file", stats.get("total_inactive_file", 0))
        found["memory_bytes"].set(float(max(0, memory["usage"] - cache)), container=name)
        found["memory_limit_bytes"].set(float(memory.get("limit", 0)), container=name)
    total = ((usage.get("cpu_stats") or {}).get("cpu_usage") or {}).get("total_usage")
    if total is not None:
        found["cpu_seconds_total"].set(total / _NANO, container=name)
    networks = (usage.get("networks") or {}).values()
    for key, family in (
        ("rx_bytes", "network_receive_bytes_total"),
        ("tx_bytes", "network_transmit_bytes_total"),
    ):
        found[family].set(float(sum(network.get(key, 0) for network in networks)), container=name)
