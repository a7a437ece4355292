"""The first page: is anything wrong, and where."""

from __future__ import annotations

from rackwright.dashboards.boards.edge import ENGINES, OPEN
from rackwright.dashboards.model import Board, Choice, Row
from rackwright.dashboards.panels import bars, gauge, quantile, query, rate, stat, table, time

_DAY = 86400.0
_FIRING = 'ALERTS{alertstate="firing", severity!="none"}'
_SLOW = quantile(0.95, "rackwright_app_request_seconds", "", 'route="/api/chat"')
UP = ((0, "away"), (1, "up"))

OVERVIEW = Board(
    "rackwright-overview",
    "Overview",
    "Is anything wrong, and where: begin here.",
    (
        Row(
            "Now",
            (
                stat(
                    "Alerts that fire",
                    # None is a number too: where Prometheus watches anything, there are none.
                    query(f"count({_FIRING}) or 0 * count(up)", "", "alertmanager"),
                    about="Silenced ones as well; not the watchdog, which always fires.",
                    warn=1.0,
                    bad=1.0,
                ),
                stat(
                    "Targets away",
                    query(f"count({gauge('up')}) - sum({gauge('up')})", ""),
                    about="What Prometheus cannot ask: the service is down, or the way to it is.",
                    warn=1.0,
                    bad=1.0,
                ),
                stat(
                    "Slow answers (95 %)",
                    query(_SLOW, "", "app", "nobody has asked lately"),
                    about="From a question to the end of its answer; the plan's bound is 5 s.",
                    unit="s",
                    warn=3.0,
                    bad=5.0,
                ),
                stat(
                    "Active sessions",
                    query("max(rackwright_app_active_sessions)", "", "app"),
                    about="Used within the last 15 minutes.",
                ),
                stat(
                    "Oldest good backup",
                    query(
                        'max(time() - rackwright_job_last_good_timestamp_seconds{action="backup"})',
                        "",
                        "backup",
                    ),
                    unit="s",
                    warn=1.2 * _DAY,
                    bad=2 * _DAY,
                ),
                stat(
                    "Soonest certificate",
                    query(f"min({gauge('rackwright_certificate_not_after_seconds')} - time())", ""),
                    about="Time until it ends; an apply renews it at 30 days.",
                    unit="s",
                    warn=25 * _DAY,
                    bad=10 * _DAY,
                    low=True,
                ),
            ),
        ),
        Row(
            "Hosts",
            (
                bars(
                    "Processor",
                    query(
                        '100 * (1 - avg by (host) (rate(node_cpu_seconds_total{mode="idle", host=~"$host"}'
                        "[$__rate_interval])))"
                    ),
                    unit="percent",
                    most=100.0,
                    warn=70.0,
                    bad=80.0,
                ),
                bars(
                    "Memory",
                    query(
                        '100 * (1 - node_memory_MemAvailable_bytes{host=~"$host"}'
                        " / node_memory_MemTotal_bytes)"
                    ),
                    unit="percent",
                    most=100.0,
                    warn=75.0,
                    bad=85.0,
                ),
                bars(
                    "Fullest file system",
                    query(
                        "100 * (1 - min by (host) (node_filesystem_avail_bytes"
                        '{host=~"$host", fstype!~"tmpfs|overlay|ramfs"}'
                        " / node_filesystem_size_bytes))"
                    ),
                    unit="percent",
                    most=100.0,
                    warn=80.0,
                    bad=90.0,
                ),
            ),
        ),
        Row(
            "Traffic",
            (
                time(
                    "Requests to the app",
                    query(rate("rackwright_app_requests_total", "status"), "{{status}}", "app"),
                    unit="reqps",
                    stacked=True,
                ),
                time(
                    "Tokens",
                    query(
                        rate("rackwright_app_tokens_total", "kind"), "{{kind}}", "app", "nobody has asked yet"
                    ),
                    about="Read (prompt) and written (completion) by the engines, a second.",
                ),
                time(
                    "Connections at the edge",
                    query(OPEN, needs=ENGINES),
                ),
            ),
        ),
        Row(
            "Services",
            (
                table(
                    "What Prometheus asks",
                    query('min by (service, host, zone) (up{host=~"$host"})', ""),
                    {"service": "Service", "host": "Host", "zone": "Zone", "": "State"},
                    names=UP,
                    width=12,
                    height=12,
                ),
                time(
                    "Targets that answer, by service",
                    query('sum by (service) (up{host=~"$host"})', "{{service}}"),
                    width=12,
                    height=12,
                ),
            ),
        ),
    ),
    (Choice("host", "up", "Host"),),
    since="3h",
)
