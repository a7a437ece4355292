"""The edge: connections, requests, how its sites look from inside the zones, certificates."""

from __future__ import annotations

from rackwright.dashboards.model import Board, Query, Row
from rackwright.dashboards.panels import gauge, quantiles, query, rate, stat, table, time

_QUIET = "nobody has asked yet"
_ALL = rate("rackwright_edge_requests_total")
_FAILED = rate("rackwright_edge_requests_total", where='status=~"5.."')

_ENDS = "rackwright_certificate_not_after_seconds"
# Of whichever engine the site has.
ENGINES = ("nginx", "haproxy", "traefik")
_UP = f"""{gauge("nginx_up")} or {gauge("up", 'service=~"haproxy|traefik"')}"""
_TRAEFIKS = 'sum by (host) (traefik_open_connections{host=~"$host",entrypoint=~"http|https"})'
OPEN = " or ".join(
    (gauge("nginx_connections_active"), gauge("haproxy_process_current_connections"), _TRAEFIKS)
)


def _edge(expr: str, legend: str = "{{host}}", rare: str = "") -> Query:
    return query(expr, legend, ENGINES, rare)


def _nginx(expr: str, legend: str = "{{host}}") -> Query:
    return query(expr, legend, "nginx")


def _haproxy(expr: str, legend: str = "{{host}}") -> Query:
    return query(expr, legend, "haproxy")


def _traefik(expr: str, legend: str = "{{host}}") -> Query:
    return query(expr, legend, "traefik_metrics")


EDGE = Board(
    "rackwright-edge",
    "Edge",
    "What comes in, and what it is answered.",
    (
        Row(
            "Now",
            (
                stat("Answers", _edge(_UP), names=((0, "away"), (1, "up")), bad=1.0, low=True),
                stat("Open connections", _edge(OPEN)),
                stat("Being written", _nginx(gauge("nginx_connections_writing"))),
                stat("Idle", _nginx(gauge("nginx_connections_waiting"))),
                stat(
                    "Soonest certificate",
                    _edge(
                        f'min({_ENDS}{{exported_service=~"{"|".join(ENGINES)}"}}) - time()',
                        "",
                    ),
                    unit="s",
                    warn=25 * 86400.0,
                    bad=10 * 86400.0,
                    low=True,
                ),
            ),
        ),
        Row(
            "Traffic",
            (
                time(
                    "Requests",
                    _nginx(rate("nginx_http_requests_total")),
                    _haproxy(rate("haproxy_process_requests_total")),
                    _traefik(rate("traefik_entrypoint_requests_total")),
                    unit="reqps",
                ),
                time(
                    "Connections",
                    _nginx(rate("nginx_connections_accepted"), "{{host}} accepted"),
                    _nginx(rate("nginx_connections_handled"), "{{host}} handled"),
                    _haproxy(rate("haproxy_process_connections_total"), "{{host}} accepted"),
                    about="Accepted but not handled: worker_connections is too small.",
                    unit="cps",
                ),
                time(
                    "Answers by status",
                    _edge(rate("rackwright_edge_requests_total", "status"), "{{status}}", _QUIET),
                    about="From the access log.",
                    unit="reqps",
                    stacked=True,
                ),
                quantiles(
                    "Time of an answer",
                    "rackwright_edge_request_seconds",
                    ENGINES,
                    rare=_QUIET,
                    width=12,
                ),
                time(
                    "Answers that failed",
                    _edge(
                        f"100 * {_FAILED} / {rate('rackwright_edge_requests_total')}", rare="none has failed"
                    ),
                    about="Of all answers, those with a status of 500 and above; the plan's bound is 1 %.",
                    unit="percent",
                    warn=0.5,
                    bad=1.0,
                    width=12,
                ),
            ),
        ),
        Row(
            "From inside the zones",
            (
                table(
                    "Does it answer",
                    query("min by (instance) (probe_success)", "", "blackbox_exporter"),
                    {"instance": "Asked", "": "Answer"},
                    names=((0, "none"), (1, "as it must")),
                ),
                time(
                    "Time of an answer",
                    query("probe_duration_seconds", "{{instance}}", "blackbox_exporter"),
                    unit="s",
                    width=12,
                ),
            ),
        ),
    ),
)
