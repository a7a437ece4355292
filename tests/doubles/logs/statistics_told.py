"""What the double of Elasticsearch tells of itself: health and statistics, in the documented form."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

Json = dict[str, Any]
_HEAP = 512 << 20


def health(handler: Any, _: Json) -> Json:  # noqa: ANN401 - the double's handler
    """`GET /_cluster/health`, for whom a role lets monitor."""
    _monitoring(handler)
    return {
        "cluster_name": "double",
        "status": "green",
        "timed_out": False,
        "number_of_nodes": 1,
        "number_of_data_nodes": 1,
        "active_primary_shards": 1,
        "active_shards": 1,
        "relocating_shards": 0,
        "initializing_shards": 0,
        "unassigned_shards": 0,
        "delayed_unassigned_shards": 0,
        "number_of_pending_tasks": 0,
        "number_of_in_flight_fetch": 0,
        "task_max_waiting_in_queue_millis": 0,
        "active_shards_percent_as_number": 100.0,
    }


def node_stats(handler: Any, _: Json) -> Json:  # noqa: ANN401 - as above
    """`GET /_nodes/_local/stats`: the parts that an exporter and dashboards read."""
    _monitoring(handler)
    count = handler.lines.count("*")
    resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf(
        "SC_PAGE_SIZE"
    )
    pool = {"used_in_bytes": resident, "max_in_bytes": _HEAP, "peak_used_in_bytes": resident}
    return {
        "cluster_name": "double",
        "nodes": {
            "double": {
                "name": "double",
                "host": "127.0.0.1",
                "transport_address": "127.0.0.1:9300",
                "roles": ["data", "ingest", "master"],
                "indices": {
                    "docs": {"count": count, "deleted": 0},
                    "store": {"size_in_bytes": handler.lines.size()},
                    "indexing": {"index_total": count, "index_time_in_millis": 0, "index_failed": 0},
                },
                "jvm": {
                    "mem": {
                        "heap_used_in_bytes": resident,
                        "heap_committed_in_bytes": _HEAP,
                        "heap_max_in_bytes": _HEAP,
                        "non_heap_used_in_bytes": 0,
                        "non_heap_committed_in_bytes": 0,
                        "pools": {"young": pool},
                    },
                    "gc": {"collectors": {"young": {"collection_count": 0, "collection_time_in_millis": 0}}},
                },
            }
        },
    }


def _monitoring(handler: Any) -> None:  # noqa: ANN401 - as above
    """Refuse a user of whose roles none has the cluster's privilege `monitor`."""
    roles = handler.state.of("_security/user").get(handler.user, {}).get("roles", [])
    told = [handler.state.of("_security/role").get(role, {}).get("cluster", []) for role in roles]
    if not any({"monitor", "manage", "all"} & set(privileges) for privileges in told):
        handler.privileged(None)
