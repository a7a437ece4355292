"""PostgreSQL, by what its exporter publishes."""

from __future__ import annotations

from rackwright.dashboards.model import Board, Choice, Query, Row
from rackwright.dashboards.panels import gauge, query, rate, stat, table, time

_REAL = 'datname!~"template.*|"'
_DATABASE = "{{host}} {{datname}}"
_STANDBY = "there is no standby"


def _pg(expr: str, legend: str = "{{host}}", rare: str = "") -> Query:
    return query(expr, legend, "postgresql", rare)


def _per_database(metric: str) -> Query:
    return _pg(rate(f"pg_stat_database_{metric}", "host, datname", _REAL), _DATABASE)


POSTGRESQL = Board(
    "rackwright-postgresql",
    "PostgreSQL",
    "Connections, work, cache, locks, write-ahead log and sizes.",
    (
        Row(
            "Now",
            (
                stat("Answers", _pg(gauge("pg_up")), names=((0, "away"), (1, "up")), bad=1.0, low=True),
                stat(
                    "Connections in use",
                    _pg(
                        f"100 * sum by (host) ({gauge('pg_stat_activity_count')})"
                        " / on (host) max by (host) (pg_settings_max_connections)"
                    ),
                    unit="percent",
                    warn=70.0,
                    bad=90.0,
                ),
                stat(
                    "Found in memory",
                    _pg(
                        f"100 * sum by (host) ({gauge('pg_stat_database_blks_hit')})"
                        " / on (host) (sum by (host) (pg_stat_database_blks_hit)"
                        " + on (host) sum by (host) (pg_stat_database_blks_read))"
                    ),
                    about="Below 95 % for long, shared_buffers is small for the data.",
                    unit="percent",
                    warn=95.0,
                    bad=90.0,
                    low=True,
                ),
                stat(
                    "Longest transaction",
                    _pg(f"max by (host) ({gauge('pg_stat_activity_max_tx_duration')})"),
                    unit="s",
                    warn=300.0,
                    bad=3600.0,
                ),
                stat(
                    "Log not archived yet",
                    _pg(gauge("pg_stat_archiver_last_archive_age"), rare="archiving is off"),
                    about="How old the newest archived piece of the write-ahead log is.",
                    unit="s",
                    warn=900.0,
                    bad=3600.0,
                ),
                stat("Data", _pg(f"sum by (host) ({gauge('pg_database_size_bytes')})"), unit="bytes"),
            ),
        ),
        Row(
            "Work",
            (
                time(
                    "Transactions",
                    _per_database("xact_commit"),
                    _pg(rate("pg_stat_database_xact_rollback", where=_REAL), "{{host}} rolled back"),
                    unit="ops",
                ),
                time(
                    "Rows",
                    _pg(rate("pg_stat_database_tup_fetched", where=_REAL), "{{host}} fetched"),
                    _pg(rate("pg_stat_database_tup_inserted", where=_REAL), "{{host}} inserted"),
                    _pg(rate("pg_stat_database_tup_updated", where=_REAL), "{{host}} updated"),
                    _pg(rate("pg_stat_database_tup_deleted", where=_REAL), "{{host}} deleted"),
                    unit="ops",
                ),
                time(
                    "Connections by state",
                    _pg(f"sum by (host, state) ({gauge('pg_stat_activity_count')})", "{{host}} {{state}}"),
                    stacked=True,
                ),
            ),
        ),
        Row(
            "Waits",
            (
                time(
                    "Locks",
                    _pg(f"sum by (host, mode) ({gauge('pg_locks_count')})", "{{host}} {{mode}}"),
                    stacked=True,
                ),
                time("Deadlocks", _per_database("deadlocks"), unit="ops"),
                time("Written to temporary files", _per_database("temp_bytes"), unit="Bps"),
            ),
        ),
        Row(
            "Write-ahead log and standbys",
            (
                time("Size of the log", _pg(gauge("pg_wal_size_bytes")), unit="bytes"),
                time(
                    "Archiving",
                    _pg(rate("pg_stat_archiver_archived_count"), "{{host}} archived"),
                    _pg(rate("pg_stat_archiver_failed_count"), "{{host}} failed"),
                    about="What fails stays on the disk of the database until it is full.",
                    unit="ops",
                ),
                time(
                    "Standbys behind",
                    _pg(
                        gauge("pg_stat_replication_pg_wal_lsn_diff"),
                        "{{host}} {{application_name}}",
                        _STANDBY,
                    ),
                    unit="bytes",
                ),
            ),
        ),
        Row(
            "Sizes",
            (
                time(
                    "Databases",
                    _pg(gauge("pg_database_size_bytes", _REAL), _DATABASE),
                    unit="bytes",
                    width=12,
                ),
                table(
                    "Tables with dead rows",
                    _pg(f"topk(20, {gauge('pg_stat_user_tables_n_dead_tup')})", ""),
                    {"host": "Host", "datname": "Database", "relname": "Table", "": "Dead rows"},
                ),
            ),
        ),
    ),
    (Choice("host", "pg_up", "Host"),),
)
