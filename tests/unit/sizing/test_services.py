"""Each service's numbers: the values that requirements and manuals name, and what an operator may set."""

from __future__ import annotations

from typing import Any

import pytest

from rackwright.sizing.budget import ServiceShare
from rackwright.sizing.host import HostRequest, HostSizing, size_host
from rackwright.sizing.intent import Intent
from rackwright.sizing.machine import Machine, MachineGpu
from rackwright.sizing.refusal import RefusedError
from rackwright.sizing.remedies import size_host_or_explain

A100 = MachineGpu("A100 40 GB", 40_960)
SHARE = ServiceShare(4, 256)


def alone(
    service: str,
    memory_mb: int = 65_536,
    cpus: int = 16,
    share: ServiceShare | None = SHARE,
    intent: Intent | None = None,
    options: dict[str, Any] | None = None,
    **machine: Any,  # noqa: ANN401 - fields of Machine
) -> HostSizing:
    """A service that has a machine for itself."""
    return size_host(
        HostRequest(
            Machine(memory_mb, cpus, **machine),
            {service: share},
            intent or Intent(),
            {"app": 1},
            options or {},
        )
    )


def values(sizing: HostSizing, service: str) -> dict[str, Any]:
    return dict(sizing.services[service].settings.values)


def test_qdrant_has_the_plans_values_from_2_gb_and_5_cores() -> None:
    told = values(alone("qdrant", cpus=5), "qdrant")
    plan = {
        "default_segment_number": 4,
        "max_segment_size_kb": 200_000,
        "memmap_threshold_kb": 50_000,
        "indexing_threshold_kb": 20_000,
        "flush_interval_sec": 5,
        "hnsw_m": 16,
        "hnsw_ef_construct": 100,
        "full_scan_threshold_kb": 10_000,
        "wal_capacity_mb": 256,
        "max_search_threads": 4,
    }
    assert {name: told[name] for name in plan} == plan


def test_qdrant_keeps_less_in_a_small_memory() -> None:
    told = values(alone("qdrant", memory_mb=1024, cpus=2), "qdrant")
    assert told["wal_capacity_mb"] == 104
    assert told["memmap_threshold_kb"] == 50_000
    tiny = values(alone("qdrant", memory_mb=512, cpus=8), "qdrant")
    assert tiny["memmap_threshold_kb"] == 320 * 1024 // (8 * 7)
    assert tiny["memory_mb"] == 320


@pytest.mark.parametrize(("memory_mb", "segment"), [(2048, 112), (8192, 480), (65_536, 1024)])
def test_milvus_segments_are_small_beside_its_memory(memory_mb: int, segment: int) -> None:
    sizing = alone("milvus", memory_mb=memory_mb, cpus=8)
    told = values(sizing, "milvus")
    assert told["segment_mb"] <= max(64, told["memory_mb"] // 16)
    assert told["segment_mb"] == pytest.approx(segment, rel=0.1)
    assert told["build_parallel"] == 2
    assert told["vectors_in_memory"] < told["memory_mb"] * 2**20 // (1024 * 4)
    assert sizing.kernel.machine["vm.max_map_count"].value == 1_048_576


def test_weaviates_heap_leaves_room_for_what_it_maps() -> None:
    told = values(alone("weaviate", memory_mb=8192, cpus=4), "weaviate")
    assert told["heap_mb"] == told["memory_mb"] * 85 // 100
    with pytest.raises(RefusedError, match="512 MB at least"):
        alone("weaviate", memory_mb=600, share=ServiceShare(1, 64))


def test_milvus_in_too_little_is_refused_with_what_it_needs() -> None:
    with pytest.raises(RefusedError) as refused:
        alone("milvus", memory_mb=1000)
    assert refused.value.changes[0].value == 1024


def test_parts_of_uploads_take_a_quarter_of_the_object_stores_share() -> None:
    told = values(alone("rclone", memory_mb=2048, cpus=2), "rclone")
    assert told["buffers_mb"] == told["memory_mb"] // 4
    with pytest.raises(RefusedError, match="128 MB at least"):
        alone("rclone", memory_mb=300, share=ServiceShare(1, 64))


@pytest.mark.parametrize(("memory_mb", "heap"), [(8192, 3686), (65_536, 29_491), (131_072, 31_744)])
def test_elasticsearchs_heap_is_half_and_keeps_compressed_pointers(memory_mb: int, heap: int) -> None:
    sizing = alone("elasticsearch", memory_mb=memory_mb)
    assert values(sizing, "elasticsearch")["heap_mb"] == heap
    assert sizing.kernel.machine["vm.max_map_count"].value == 1_048_576


def test_elasticsearch_in_too_little_is_refused_with_what_it_needs() -> None:
    with pytest.raises(RefusedError) as refused:
        alone("elasticsearch", memory_mb=1100)
    assert refused.value.changes[0].variable == "services.elasticsearch.memory.minimum_mb"
    assert refused.value.changes[0].value == 1024


def test_logstash_has_a_disk_for_what_waits() -> None:
    told = values(alone("logstash", memory_mb=8192), "logstash")
    assert (told["heap_mb"], told["queue_mb"], told["refused_mb"]) == (3686, 1128, 204)
    with pytest.raises(RefusedError) as refused:
        alone("logstash", memory_mb=1100)
    assert refused.value.changes[0].variable == "services.logstash.memory.minimum_mb"


@pytest.mark.parametrize(
    ("cpus", "users", "workers", "connections"),
    [(2, 10, 2, 4096), (64, 1000, 32, 4096), (1, 1000, 1, 8192), (2, 20_000, 2, 65_536)],
)
def test_nginx(cpus: int, users: int, workers: int, connections: int) -> None:
    sizing = alone("nginx", cpus=cpus, share=None, intent=Intent(concurrent_users=users))
    told = values(sizing, "nginx")
    assert told == {
        "workers": workers,
        "worker_connections": connections,
        "open_files": connections * 2 + 512,
    }
    assert sizing.services["nginx"].parts["connections"].value == workers * connections


@pytest.mark.parametrize(
    ("cpus", "users", "threads", "connections"),
    [(2, 10, 2, 4096), (64, 1000, 32, 8192), (2, 50_000, 2, 262_144)],
)
def test_haproxy(cpus: int, users: int, threads: int, connections: int) -> None:
    sizing = alone("haproxy", cpus=cpus, share=None, intent=Intent(concurrent_users=users))
    assert values(sizing, "haproxy") == {
        "threads": threads,
        "connections": connections,
        "open_files": connections * 2 + 512,
    }


@pytest.mark.parametrize(("users", "connections"), [(10, 4096), (1000, 8192)])
def test_traefik(users: int, connections: int) -> None:
    sizing = alone("traefik", share=None, intent=Intent(concurrent_users=users))
    assert values(sizing, "traefik") == {"connections": connections, "open_files": connections * 2 + 512}
    given = alone("traefik", share=None, options={"traefik_connections": 10_000})
    assert values(given, "traefik")["open_files"] == 20_512


def test_an_operator_sets_haproxy_and_the_files_follow() -> None:
    sizing = alone("haproxy", share=None, options={"haproxy_connections": 10_000, "haproxy_threads": 3})
    assert values(sizing, "haproxy") == {"threads": 3, "connections": 10_000, "open_files": 20_512}


def test_an_operator_sets_nginx_and_the_files_follow() -> None:
    sizing = alone("nginx", share=None, options={"nginx_worker_connections": 10_000, "nginx_workers": 3})
    assert values(sizing, "nginx") == {"workers": 3, "worker_connections": 10_000, "open_files": 20_512}


def test_zero_workers_of_nginx_leave_it_open() -> None:
    assert values(alone("nginx", share=None, options={"nginx_workers": 0}), "nginx")["workers"] == 16


@pytest.mark.parametrize(
    ("memory_mb", "cpus", "workers", "pool"),
    [(768, 8, 3, 4), (65_536, 1, 1, 8), (65_536, 2, 2, 5), (65_536, 64, 7, 2)],
)
def test_the_apps_workers_and_pools(memory_mb: int, cpus: int, workers: int, pool: int) -> None:
    told = values(alone("app", memory_mb=memory_mb, cpus=cpus), "app")
    assert (told["workers"], told["pool_size"]) == (workers, pool)
    assert (workers + 1) * pool <= 16


def test_more_users_get_more_connections() -> None:
    told = alone("app", cpus=64, intent=Intent(concurrent_users=1000))
    assert told.services["app"].parts["connections"].value == 64
    assert values(told, "app")["workers"] == 31


def test_more_workers_than_fit_are_refused_with_how_many_do() -> None:
    with pytest.raises(RefusedError) as refused:
        size_host_or_explain(
            HostRequest(Machine(1024, 4), {"app": SHARE}, hosts={"app": 1}, options={"app_workers": 20})
        )
    assert refused.value.changes[0].variable == "app_workers"
    assert refused.value.changes[0].value == 6


def test_fewer_connections_than_the_site_opens_are_refused() -> None:
    request = HostRequest(
        Machine(16_384, 8),
        {"postgresql": SHARE},
        hosts={"app": 3},
        options={"postgresql_connections": 40},
    )
    with pytest.raises(RefusedError) as refused:
        size_host_or_explain(request)
    assert "open 63 at most" in refused.value.message
    assert [(change.variable, change.value) for change in refused.value.changes] == [
        ("postgresql_connections", 63)
    ]


def test_llama_cpp_computes_on_physical_cores() -> None:
    told = values(alone("llama_cpp", cpus=32, cores=16), "llama_cpp")
    assert (told["threads"], told["cpus"], told["parallel"]) == (16, 32, 4)
    assert values(alone("llama_cpp", cpus=2), "llama_cpp")["parallel"] == 2
    asked = alone("llama_cpp", options={"llama_cpp_threads": 3, "llama_cpp_context": 2048})
    assert values(asked, "llama_cpp")["threads"] == 3
    assert values(asked, "llama_cpp")["context_tokens"] == 2048


def test_ollama_on_a_gpu_of_its_own_and_beside_another_engine() -> None:
    intent = Intent(parallel_requests=8, models=3, context_tokens=8192, concurrent_users=50)
    told = values(alone("ollama", intent=intent, gpus=(A100,)), "ollama")
    assert told["num_parallel"] == 8
    assert told["max_loaded_models"] == 3
    assert told["keep_alive"] == "24h"
    assert told["context_length"] == 8192
    assert told["gpu_overhead"] == (40_960 - 37_683) * 1024**2
    shared = size_host(
        HostRequest(
            Machine(131_072, 32, gpus=(A100, A100)),
            {"ollama": ServiceShare(1, 256), "vllm": ServiceShare(3, 256)},
        )
    )
    vllm = values(shared, "vllm")
    assert vllm["gpu_memory_utilization"] == 0.71
    assert vllm["tensor_parallel_size"] == 2
    assert shared.services["ollama"].parts["vram_mb"].value == 40_960 * 23 // 100


def test_ollama_without_a_gpu_has_no_part_of_one() -> None:
    sizing = alone("ollama", gpus=())
    assert "gpu_fraction" not in sizing.services["ollama"].parts
    assert "gpu_overhead" not in values(sizing, "ollama")


@pytest.mark.parametrize(("count", "size"), [(1, 1), (2, 2), (3, 2), (6, 4), (8, 8)])
def test_vllm_takes_a_power_of_two_of_the_gpus(count: int, size: int) -> None:
    told = values(alone("vllm", gpus=(A100,) * count), "vllm")
    assert told["tensor_parallel_size"] == size
    assert told["gpu_memory_utilization"] == 0.92
    assert told["shm_size_mb"] == min(size * 1024, 65_536 * 9 // 10 // 4)


def test_vllm_without_a_gpu_is_moved() -> None:
    request = HostRequest(Machine(65_536, 16, gpus=()), {"vllm": SHARE, "redis": ServiceShare(2, 128)})
    with pytest.raises(RefusedError) as refused:
        size_host_or_explain(request)
    assert "needs a GPU, and the host has none" in refused.value.message
    assert [(change.variable, change.value) for change in refused.value.changes] == [("move", "vllm")]


def test_a_host_that_was_never_scanned_is_sized_without_knowing_its_gpus() -> None:
    told = values(alone("vllm"), "vllm")
    assert (told["gpu_memory_utilization"], told["tensor_parallel_size"]) == (0.92, 1)


def test_a_container_of_which_nothing_is_known_has_limits() -> None:
    assert values(alone("unheard_of"), "unheard_of") == {"memory_mb": 65_536 - 6553, "cpus": 16}


def test_kibanas_heap_leaves_node_js_room() -> None:
    told = values(alone("kibana", memory_mb=2048), "kibana")
    assert told["heap_mb"] == int(told["memory_mb"] * 0.65)


@pytest.mark.parametrize(
    ("services", "expected"),
    [({"redis": SHARE}, 1), ({"postgresql": SHARE}, 0), ({"vllm": SHARE, "redis": SHARE}, 1)],
)
def test_overcommit_is_never_2(services: dict[str, ServiceShare], expected: int) -> None:
    sizing = size_host(HostRequest(Machine(65_536, 16), services))
    assert sizing.kernel.machine["vm.overcommit_memory"].value == expected


@pytest.mark.parametrize(("memory_mb", "background_mb"), [(2048, 64), (65_536, 655), (1_048_576, 1024)])
def test_dirty_pages_by_memory(memory_mb: int, background_mb: int) -> None:
    kernel = alone("redis", memory_mb=memory_mb).kernel.machine
    assert kernel["vm.dirty_background_bytes"].value == background_mb * 1024**2
    assert kernel["vm.dirty_bytes"].value == background_mb * 4 * 1024**2


def test_huge_pages_are_set_aside_only_when_asked_and_not_in_a_container() -> None:
    asked = {"postgresql_huge_pages_reserved": True}
    pages = alone("postgresql", options=asked).kernel.machine["vm.nr_hugepages"].value
    buffers = (65_536 - 6553) // 4
    assert isinstance(pages, int)
    assert buffers < pages * 2 < buffers * 1.05
    assert "vm.nr_hugepages" not in alone("postgresql").kernel.machine
    assert "vm.nr_hugepages" not in alone("postgresql", options=asked, container=True).kernel.machine


def test_the_kernels_generous_defaults_are_left_alone() -> None:
    told = alone("postgresql").kernel
    assert not {"kernel.shmmax", "kernel.shmall", "fs.file-max"} & {*told.machine, *told.network}


def test_the_disk_decides_on_the_wal_and_what_may_fill_it() -> None:
    told = values(alone("postgresql", disk_gb=1000), "postgresql")
    # 900 GB are left; a twentieth is 45 GB, at most 16 GB.
    assert told["max_wal_size"] == "16GB"
    assert told["max_slot_wal_keep_size"] == "270GB"
    assert told["temp_file_limit"] == "90GB"
    small = values(alone("postgresql", disk_gb=10), "postgresql")
    assert small["max_wal_size"] == "1216MB"
    unknown = values(alone("postgresql"), "postgresql")
    assert "temp_file_limit" not in unknown


def test_a_disk_that_is_too_small_is_refused_with_the_smallest_that_is_not() -> None:
    request = HostRequest(Machine(65_536, 16, disk_gb=6), {"postgresql": SHARE})
    with pytest.raises(RefusedError) as refused:
        size_host_or_explain(request)
    assert ("host_disk_gb", 8) in [(change.variable, change.value) for change in refused.value.changes]


def test_the_tiers_weights_win_over_the_catalogues() -> None:
    services = {"postgresql": ServiceShare(6, 256), "redis": ServiceShare(2, 128)}
    by_tier = size_host(HostRequest(Machine(8192, 4), services, Intent(shares={"redis": 6})))
    parts = {name: item.parts["memory_mb"].value for name, item in by_tier.services.items()}
    assert parts == {"postgresql": 3686, "redis": 3686}


@pytest.mark.parametrize("value", ["many", True, -3, 0])
def test_a_wish_that_is_no_number_is_refused_by_name(value: object) -> None:
    with pytest.raises(RefusedError) as refused:
        alone("llama_cpp", options={"llama_cpp_parallel": value})
    assert refused.value.changes[0].variable == "llama_cpp_parallel"


def test_prometheus_keeps_the_tiers_days_within_its_disk() -> None:
    told = values(alone("prometheus", disk_gb=100), "prometheus")
    assert told["retention_days"] == 15
    assert 0 < told["retention_mb"] < 100_000


def watching(hosts: int, memory_mb: int = 8192, **options: int) -> HostSizing:
    """Prometheus of a site with so many hosts, on a disk of 7 GB."""
    machine = Machine(memory_mb, 4, disk_gb=7)
    return size_host(HostRequest(machine, {"prometheus": SHARE}, Intent(), {"node_exporter": hosts}, options))


def test_days_that_do_not_fit_are_refused_with_those_that_do() -> None:
    with pytest.raises(RefusedError, match="Prometheus is to keep 3000 days") as refused:
        watching(20, prometheus_retention_days=3000)
    change = refused.value.changes[0]
    assert change.variable == "prometheus_retention_days"
    assert isinstance(change.value, int)
    watching(20, prometheus_retention_days=change.value)


def test_a_site_too_large_for_prometheus_memory_is_refused() -> None:
    with pytest.raises(RefusedError, match="series of this site need"):
        watching(100, memory_mb=1024)
