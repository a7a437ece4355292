"""The solver over random machines, placements, tiers and wishes: what holds for every one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackwright.sizing.budget import ServiceShare
from rackwright.sizing.connections import RESERVED
from rackwright.sizing.disk import reserve_gb
from rackwright.sizing.host import HostRequest, HostSizing, size_host
from rackwright.sizing.intent import Intent
from rackwright.sizing.machine import Machine, MachineGpu
from rackwright.sizing.refusal import RefusedError
from rackwright.sizing.remedies import apply_change, size_host_or_explain

# Together 10,000 machines and more; `test_enough_machines_are_tried` adds them up.
FITTING, GROWING, REFUSING, ACROSS = 4500, 2500, 2500, 600

STORES = ("postgresql", "redis", "qdrant", "elasticsearch", "milvus", "weaviate")
ENGINES = ("llama_cpp", "ollama", "vllm")
WITH_SHARE = (*STORES, *ENGINES, "app", "kibana", "logstash")
IN_RESERVE = ("nginx", "sshd", "docker")

gpus = st.builds(MachineGpu, model=st.just("card"), vram_mb=st.integers(4096, 196_608))
machines = st.builds(
    Machine,
    memory_mb=st.integers(200, 4096) | st.integers(4096, 65_536) | st.integers(65_536, 4_194_304),
    cpus=st.integers(1, 512),
    cores=st.none() | st.integers(1, 256),
    gpus=st.none() | st.lists(gpus, max_size=8).map(tuple),
    disk_gb=st.none() | st.integers(1, 100_000),
    storage=st.sampled_from(("ssd", "nvme", "hdd")),
    container=st.booleans(),
)
shares = st.builds(ServiceShare, weight=st.integers(1, 20), minimum_mb=st.integers(1, 2048))
placements = st.builds(
    lambda shared, bare: {**shared, **dict.fromkeys(bare)},
    st.dictionaries(st.sampled_from(WITH_SHARE), shares, min_size=1, max_size=8),
    st.sets(st.sampled_from(IN_RESERVE)),
)
intents = st.builds(
    Intent,
    concurrent_users=st.integers(1, 20_000),
    context_tokens=st.integers(256, 131_072),
    parallel_requests=st.integers(1, 256),
    models=st.integers(1, 6),
    shares=st.dictionaries(st.sampled_from(WITH_SHARE), st.integers(1, 20), max_size=4),
)
hosts = st.fixed_dictionaries({"app": st.integers(0, 12), "postgresql": st.integers(1, 3)})
wishes = st.fixed_dictionaries(
    {},
    optional={
        "postgresql_connections": st.integers(0, 2000),
        "postgresql_storage": st.sampled_from(("ssd", "hdd", "tape")),
        "postgresql_wal_disk_gb": st.integers(0, 4000),
        "postgresql_huge_pages_reserved": st.booleans(),
        "app_workers": st.integers(0, 64),
        "nginx_workers": st.integers(0, 64),
        "nginx_worker_connections": st.integers(1, 100_000),
        "llama_cpp_parallel": st.integers(0, 64),
        "vllm_tensor_parallel_size": st.integers(0, 8),
    },
)
requests = st.builds(
    HostRequest, machine=machines, services=placements, intent=intents, hosts=hosts, options=st.just({})
)
demanding = st.builds(
    HostRequest, machine=machines, services=placements, intent=intents, hosts=hosts, options=wishes
)


def total(sizing: HostSizing, part: str) -> float:
    """The parts of all services together."""
    return sum(float(item.value) for item in parts(sizing, part).values())


def parts(sizing: HostSizing, part: str) -> Mapping[str, Any]:
    return {name: service.parts[part] for name, service in sizing.services.items() if part in service.parts}


def sized(request: HostRequest) -> HostSizing:
    """The sizing of a request that can be met; where it cannot, of the first change that helps."""
    try:
        return size_host_or_explain(request)
    except RefusedError as error:
        return size_host(apply_change(request, error.changes[0]))


@settings(max_examples=FITTING)
@given(requests)
def test_budgets_never_exceed_the_machine(request: HostRequest) -> None:
    sizing = sized(request)
    machine = sizing.request.machine
    assert total(sizing, "memory_mb") + sizing.budget.reserve_mb <= machine.memory_mb
    assert total(sizing, "cores") <= machine.cpus + 1e-9
    assert all(1 <= part.value <= machine.cpus for part in parts(sizing, "cpus").values())
    assert total(sizing, "gpu_fraction") <= 0.95 + 1e-9
    if machine.gpus:
        smallest = min(gpu.vram_mb for gpu in machine.gpus)
        assert total(sizing, "vram_mb") <= smallest - max(512, smallest * 5 // 100) + 1
    else:
        assert parts(sizing, "vram_mb") == {}
    if machine.disk_gb is not None:
        kept = reserve_gb(machine.disk_gb) if parts(sizing, "disk_gb") else 0
        assert total(sizing, "disk_gb") + kept <= machine.disk_gb
    within_their_share(sizing)


def within_their_share(sizing: HostSizing) -> None:
    """What each service may take follows from its part, and stays in it."""
    memory = {name: int(item.value) for name, item in parts(sizing, "memory_mb").items()}
    told = {name: service.settings.values for name, service in sizing.services.items()}
    limited = (
        "llama_cpp",
        "ollama",
        "vllm",
        "qdrant",
        "elasticsearch",
        "kibana",
        "logstash",
        "milvus",
        "weaviate",
    )
    for name in limited:
        if name in told:
            assert told[name]["memory_mb"] == memory[name]
    if "weaviate" in told:
        assert int(told["weaviate"]["heap_mb"]) < memory["weaviate"]
    if "elasticsearch" in told:
        assert 512 <= int(told["elasticsearch"]["heap_mb"]) <= min(31 * 1024, memory["elasticsearch"] / 2)
    if "logstash" in told:
        assert 512 <= int(told["logstash"]["heap_mb"]) <= min(8 * 1024, memory["logstash"] / 2)
        disk = parts(sizing, "disk_gb").get("logstash")
        queues = int(told["logstash"]["queue_mb"]) + 8 * 64 + 2 * int(told["logstash"]["refused_mb"])
        assert disk is None or queues <= int(disk.value) * 1024
    if "app" in told:
        assert 60 + 90 * (int(told["app"]["workers"]) + 1) <= memory["app"]
    if "vllm" in told:
        assert int(told["vllm"]["shm_size_mb"]) <= memory["vllm"] / 4
        used = int(told["vllm"]["tensor_parallel_size"])
        assert used <= len(sizing.request.machine.gpus or (None,))
    if "redis" in told:
        assert int(str(told["redis"]["maxmemory"]).removesuffix("mb")) * 1.6 + 32 <= memory["redis"]
    # Two would refuse a model server its maps.
    assert sizing.kernel.machine["vm.overcommit_memory"].value in {0, 1}


@settings(max_examples=GROWING)
@given(requests, st.integers(0, 100_000), st.integers(0, 64), st.integers(0, 10_000))
def test_budgets_grow_with_the_machine(request: HostRequest, memory: int, cpus: int, disk: int) -> None:
    small = sized(request)
    machine = small.request.machine
    larger = replace(
        machine,
        memory_mb=machine.memory_mb + memory,
        cpus=machine.cpus + cpus,
        disk_gb=None if machine.disk_gb is None else machine.disk_gb + disk,
    )
    # More cores may ask more of PostgreSQL than its memory holds; then it is said, and nothing shrinks.
    try:
        large = size_host(replace(small.request, machine=larger))
    except RefusedError:
        assert cpus > 0
        return
    for part in ("memory_mb", "cores", "cpus", "disk_gb", "gpu_fraction", "vram_mb"):
        before, after = parts(small, part), parts(large, part)
        assert before.keys() == after.keys()
        for name, item in before.items():
            assert after[name].value >= item.value, (part, name)
    assert large.budget.reserve_mb >= small.budget.reserve_mb


@settings(max_examples=REFUSING)
@given(demanding)
def test_every_refusal_names_changes_that_are_accepted(request: HostRequest) -> None:
    try:
        size_host(request)
    except RefusedError:
        pass
    else:
        return
    with pytest.raises(RefusedError) as refused:
        size_host_or_explain(request)
    assert refused.value.changes, refused.value.message
    assert refused.value.hint
    for change in refused.value.changes:
        size_host(apply_change(request, change))
        if change.variable in {"host_memory_mb", "host_disk_gb"} and not change.also:
            # The smallest: one less is still refused.
            with pytest.raises(RefusedError):
                size_host(apply_change(request, replace(change, value=int(change.value) - 1)))


@settings(max_examples=ACROSS)
@given(intents, st.integers(1, 12), st.lists(machines, min_size=1, max_size=4))
def test_the_pools_of_all_apps_fit_the_databases_connections(
    intent: Intent, count: int, app_machines: list[Machine]
) -> None:
    """Whatever the machines: neither side asks the other, and yet they agree."""
    placed = {"app": count, "postgresql": 1}
    roomy = Machine(65_536, 16)
    database = size_host(HostRequest(roomy, {"postgresql": ServiceShare(6, 256)}, intent, placed))
    connections = int(database.services["postgresql"].settings.values["max_connections"])
    largest = 0
    for machine in app_machines:
        request = HostRequest(machine, {"app": ServiceShare(2, 256)}, intent, placed)
        values = sized(request).services["app"].settings.values
        # While workers are replaced there is one more of them.
        largest = max(largest, (int(values["workers"]) + 1) * int(values["pool_size"]))
    assert largest * count + RESERVED <= connections


def test_enough_machines_are_tried() -> None:
    assert FITTING + GROWING + REFUSING + ACROSS >= 10_000
