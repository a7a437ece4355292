"""How long what there is will do: days until a disk is full, trends of memory, load and data."""

from __future__ import annotations

from rackwright.dashboards.model import Board, Choice, Row
from rackwright.dashboards.panels import gauge, query, share, table, time

_REAL = 'fstype!~"tmpfs|overlay|ramfs"'
_LINE = f'deriv(node_filesystem_avail_bytes{{host=~"$host", {_REAL}}}[$__range])'
# A disk that does not fill has no last day: clamped at ten years, which no table would believe.
_TEN_YEARS = 3650
# A line through a few hours foresees nothing: half a day at least.
_KNOWN = f'count_over_time(node_filesystem_avail_bytes{{host=~"$host", {_REAL}}}[$__range:1h]) >= 12'
# A line through a few hours foresees nothing: half a day at least.
_KNOWN = f'count_over_time(node_filesystem_avail_bytes{{host=~"$host", {_REAL}}}[$__range:1h]) >= 12'
DAYS = (
    f'clamp_max(node_filesystem_avail_bytes{{host=~"$host", {_REAL}}} / -({_LINE} < 0) / 86400, {_TEN_YEARS})'
    f" and {_KNOWN}"
)

CAPACITY = Board(
    "rackwright-capacity",
    "Capacity",
    "How long what there is will do, by the line through the last days.",
    (
        Row(
            "Disks",
            (
                table(
                    "Days until full",
                    query(f"sort({DAYS})", "", rare="no disk has filled, or nothing is known yet"),
                    {"host": "Host", "mountpoint": "At", "": "Days"},
                    about="By the straight line through the last days; 3650 stands for ten years and more.",
                    warn=30.0,
                    bad=7.0,
                    low=True,
                ),
                share(
                    "File systems",
                    f'(node_filesystem_size_bytes{{host=~"$host", {_REAL}}} - node_filesystem_avail_bytes)',
                    "node_filesystem_size_bytes",
                    legend="{{host}} {{mountpoint}}",
                    width=12,
                ),
            ),
        ),
        Row(
            "Trends",
            (
                time(
                    "Busiest hour's processor",
                    query(
                        "100 * (1 - avg by (host) (rate("
                        'node_cpu_seconds_total{mode="idle", host=~"$host"}[1h])))'
                    ),
                    unit="percent",
                    most=100.0,
                    warn=70.0,
                    bad=80.0,
                ),
                share(
                    "Memory in use",
                    '(node_memory_MemTotal_bytes{host=~"$host"} - node_memory_MemAvailable_bytes)',
                    "node_memory_MemTotal_bytes",
                    warn=75.0,
                    bad=85.0,
                ),
                time(
                    "Data of the stores",
                    query(
                        f"sum by (host) ({gauge('pg_database_size_bytes')})",
                        "{{host}} PostgreSQL",
                        "postgresql",
                    ),
                    query(gauge("redis_memory_used_bytes"), "{{host}} Redis", "redis"),
                    unit="bytes",
                ),
                time(
                    "Tokens of a day",
                    query(
                        "sum by (kind) (increase(rackwright_app_tokens_total[1d]))",
                        "{{kind}}",
                        "app",
                        "nobody has asked yet",
                    ),
                    width=12,
                ),
                time(
                    "Database's connections in use",
                    query(
                        f"100 * sum by (host) ({gauge('pg_stat_activity_count')})"
                        " / on (host) max by (host) (pg_settings_max_connections)",
                        needs="postgresql",
                    ),
                    unit="percent",
                    most=100.0,
                    warn=70.0,
                    bad=90.0,
                    width=12,
                ),
            ),
        ),
    ),
    (Choice("host", "node_uname_info", "Host"),),
    since="7d",
)
