"""The logs' own way: what arrives, what waits, what was lost; and the lines themselves where a store is."""

from __future__ import annotations

from rackwright.dashboards.model import Board, Choice, Row
from rackwright.dashboards.panels import gauge, query, stat, time

_ES = "elasticsearch"
_LS = "logstash"
_SERVER = "log_server"

LOGS = Board(
    "rackwright-logs",
    "Logs",
    "How much is written, where it waits, and the last errors themselves.",
    (
        Row(
            "Loki",
            (
                stat(
                    "Lines a second",
                    query("sum(rate(loki_distributor_lines_received_total[5m]))", "", "loki"),
                ),
                time(
                    "Received",
                    query(
                        "sum(rate(loki_distributor_bytes_received_total[$__rate_interval]))", "bytes", "loki"
                    ),
                    unit="Bps",
                ),
                time(
                    "Refused",
                    query(
                        "sum by (reason) (rate(loki_discarded_samples_total[$__rate_interval]))",
                        "{{reason}}",
                        "loki",
                        "nothing was refused",
                    ),
                ),
            ),
        ),
        Row(
            "Elasticsearch",
            (
                stat(
                    "State of the cluster",
                    query('sum(elasticsearch_cluster_health_status{color="green"})', "", _ES),
                    names=((0, "not green"), (1, "green")),
                    bad=1.0,
                    low=True,
                ),
                time(
                    "Heap",
                    query(
                        '100 * elasticsearch_jvm_memory_used_bytes{area="heap"}'
                        ' / elasticsearch_jvm_memory_max_bytes{area="heap"}',
                        "{{name}}",
                        _ES,
                    ),
                    unit="percent",
                    most=100.0,
                ),
                time(
                    "Documents written",
                    query("sum(rate(elasticsearch_indices_indexing_index_total[$__rate_interval]))", "", _ES),
                    unit="ops",
                ),
                time("Size", query("sum(elasticsearch_indices_store_size_bytes)", "", _ES), unit="bytes"),
            ),
        ),
        Row(
            "Logstash",
            (
                time(
                    "Lines that left",
                    query(
                        'sum by (pipeline) (rate(rackwright_logstash_events_total{way="out"}'
                        "[$__rate_interval]))",
                        "{{pipeline}}",
                        _LS,
                    ),
                    unit="ops",
                ),
                time(
                    "Queues",
                    query(
                        "100 * rackwright_logstash_queue_bytes / rackwright_logstash_queue_limit_bytes",
                        "{{pipeline}}",
                        _LS,
                    ),
                    unit="percent",
                    most=100.0,
                    warn=60.0,
                    bad=80.0,
                ),
                stat(
                    "Refused for good",
                    query('sum(rackwright_logstash_refused_total{pipeline="refused"})', "", _LS),
                    bad=1.0,
                ),
                time(
                    "Heap",
                    query("rackwright_logstash_heap_percent", "{{host}}", _LS),
                    unit="percent",
                    most=100.0,
                ),
            ),
        ),
        Row(
            "Log server",
            (
                time(
                    "Lines written",
                    query("sum(rate(rackwright_log_server_lines_total[$__rate_interval]))", "", _SERVER),
                    unit="ops",
                ),
                time(
                    "Space",
                    query(
                        "100 * rackwright_log_server_used_bytes / rackwright_log_server_limit_bytes",
                        "{{host}}",
                        _SERVER,
                    ),
                    unit="percent",
                    most=100.0,
                ),
                stat(
                    "Goes back",
                    query("time() - min(rackwright_log_server_oldest_timestamp_seconds)", "", _SERVER),
                    unit="s",
                ),
                time(
                    "Last line of a host",
                    query("time() - rackwright_log_server_heard_timestamp_seconds", "{{source}}", _SERVER),
                    unit="s",
                    warn=1800.0,
                    bad=3600.0,
                ),
            ),
        ),
        Row(
            "Space on hosts",
            (
                time(
                    "Where logs are",
                    query(
                        "100 * (1 - node_filesystem_avail_bytes"
                        '{host=~"$host", fstype!~"tmpfs|overlay|ramfs"} / node_filesystem_size_bytes)',
                        "{{host}} {{mountpoint}}",
                    ),
                    unit="percent",
                    most=100.0,
                    warn=80.0,
                    bad=90.0,
                    width=12,
                ),
                time(
                    "Audit lines that were lost",
                    query(gauge("rackwright_app_audit_failures_total"), needs="app"),
                    width=12,
                ),
            ),
        ),
    ),
    (Choice("host", "node_uname_info", "Host"),),
    logs="error|fail|panic|fatal|refused|denied",
)
