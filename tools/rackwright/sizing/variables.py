"""From a host's variables, as Ansible or the inventory's loader gives them, to what sizing reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rackwright.site.plain import plain
from rackwright.sizing.intent import Intent, intent_of
from rackwright.sizing.machine import Machine, machine_of
from rackwright.tiers.load import tier_of

# What an operator may set; everything else that sizing needs follows from machine, tier and placement.
OPTIONS = (
    "app_workers",
    "fastchat_concurrency",
    "haproxy_connections",
    "haproxy_threads",
    "llama_cpp_context",
    "llama_cpp_parallel",
    "llama_cpp_threads",
    "localai_context",
    "localai_parallel",
    "localai_threads",
    "log_space_mb",
    "log_store_daily_mb",
    "nginx_worker_connections",
    "nginx_workers",
    "ollama_context_length",
    "ollama_num_parallel",
    "postgresql_connections",
    "postgresql_huge_pages_reserved",
    "postgresql_storage",
    "postgresql_wal_disk_gb",
    "prometheus_retention_days",
    "traefik_connections",
    "vllm_max_model_len",
    "vllm_max_num_seqs",
    "vllm_tensor_parallel_size",
)
_MACHINE = ("host_memory_mb", "host_cpus", "host_disk_gb", "hardware")
_TIER = ("tiers", "tier", "tier_overrides")


class Chosen(Mapping[str, Any]):
    """A few of a host's variables, each templated when it is first read.

    Ansible's mapping of all variables raises on a name that is not set, and templates a value each time.
    """

    def __init__(self, variables: Mapping[str, Any], names: Iterable[str]) -> None:
        self._values = {name: plain(variables[name]) for name in names if name in variables}

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - whatever the inventory says
        """Return a variable's value."""
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names that are set."""
        return iter(self._values)

    def __len__(self) -> int:
        """Return how many are set."""
        return len(self._values)


def options_of(variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the variables of a host that sizing reads and an operator may set."""
    return Chosen(variables, OPTIONS)


def intent_from(variables: Mapping[str, Any], services: Iterable[str]) -> Intent:
    """Return what the site's tier wants; an intent of no tier where there are no tiers at all.

    Raises:
        FindingsError: The tier does not exist, or an override is wrong.
    """
    chosen = Chosen(variables, _TIER)
    if "tiers" not in chosen:
        return Intent()
    return intent_of(tier_of(chosen, services), str(chosen.get("tier")))


def machine_from(
    variables: Mapping[str, Any],
    facts: Mapping[str, Any] | None = None,
    fallback: Mapping[str, int] | None = None,
) -> Machine:
    """Return what a host has, as `machine_of` says.

    Raises:
        UnknownMachineError: Memory or cores are nowhere.
    """
    return machine_of(Chosen(variables, _MACHINE), facts, fallback)
