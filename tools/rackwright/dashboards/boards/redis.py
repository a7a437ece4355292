"""Redis, by what its exporter publishes."""

from __future__ import annotations

from rackwright.dashboards.model import Board, Choice, Query, Row
from rackwright.dashboards.panels import gauge, query, rate, stat, time


def _redis(expr: str, legend: str = "{{host}}", rare: str = "") -> Query:
    return query(expr, legend, "redis", rare)


REDIS = Board(
    "rackwright-redis",
    "Redis",
    "Memory, commands, hits, connections and persistence.",
    (
        Row(
            "Now",
            (
                stat("Answers", _redis(gauge("redis_up")), names=((0, "away"), (1, "up")), bad=1.0, low=True),
                stat(
                    "Memory in use",
                    _redis(f"100 * {gauge('redis_memory_used_bytes')} / redis_memory_max_bytes"),
                    unit="percent",
                    warn=80.0,
                    bad=95.0,
                ),
                stat("Clients", _redis(gauge("redis_connected_clients"))),
                stat(
                    "Last snapshot",
                    _redis(f"time() - {gauge('redis_rdb_last_save_timestamp_seconds')}"),
                    unit="s",
                ),
                stat(
                    "Append-only file",
                    _redis(gauge("redis_aof_last_write_status")),
                    names=((0, "failed"), (1, "written")),
                    bad=1.0,
                    low=True,
                ),
                stat("Slow commands kept", _redis(gauge("redis_slowlog_length"))),
            ),
        ),
        Row(
            "Work",
            (
                time(
                    "Commands",
                    _redis(rate("redis_commands_total", "cmd"), "{{cmd}}"),
                    unit="ops",
                    stacked=True,
                ),
                time(
                    "Time of a command",
                    _redis(
                        f"{rate('redis_commands_duration_seconds_total')}"
                        f" / {rate('redis_commands_processed_total')}"
                    ),
                    unit="s",
                ),
                time(
                    "Found and not found",
                    _redis(rate("redis_keyspace_hits_total"), "{{host}} found"),
                    _redis(rate("redis_keyspace_misses_total"), "{{host}} not found"),
                    unit="ops",
                ),
            ),
        ),
        Row(
            "Memory and keys",
            (
                time(
                    "Memory",
                    _redis(gauge("redis_memory_used_bytes"), "{{host}} used"),
                    _redis(gauge("redis_memory_max_bytes"), "{{host}} at most"),
                    unit="bytes",
                ),
                time("Keys", _redis(f"sum by (host, db) ({gauge('redis_db_keys')})", "{{host}} {{db}}")),
                time(
                    "Thrown out, refused",
                    _redis(rate("redis_evicted_keys_total"), "{{host}} keys thrown out"),
                    _redis(rate("redis_rejected_connections_total"), "{{host}} connections refused"),
                    unit="ops",
                ),
            ),
        ),
    ),
    (Choice("host", "redis_up", "Host"),),
)
