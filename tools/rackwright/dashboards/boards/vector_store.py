"""The vector store: by its own metrics where it has some, and by the app's searches."""

from __future__ import annotations

from rackwright.dashboards.model import Board, Query, Row
from rackwright.dashboards.panels import gauge, quantile, quantiles, query, rate, stat, time

_BY_PATH = "{{host}} {{endpoint}}"
_QUIET = "nobody has asked it yet"


def _qdrant(expr: str, legend: str = "{{host}}", rare: str = "") -> Query:
    return query(expr, legend, "qdrant", rare)


def _milvus(expr: str, legend: str = "{{host}}", rare: str = "") -> Query:
    return query(expr, legend, "milvus", rare)


def _weaviate(expr: str, legend: str = "{{host}}") -> Query:
    return query(expr, legend, "weaviate", _QUIET)


VECTOR_STORE = Board(
    "rackwright-vector-store",
    "Vector store",
    "Vectors, searches and their time.",
    (
        Row(
            "As the app sees it",
            (
                quantiles("Time of a search", "rackwright_app_retrieval_seconds", "app", width=12),
                time(
                    "Searches by outcome",
                    query(
                        rate("rackwright_app_retrievals_total", "outcome"),
                        "{{outcome}}",
                        "app",
                        "nothing of the kind happened yet",
                    ),
                    unit="reqps",
                    stacked=True,
                    width=12,
                ),
            ),
        ),
        Row(
            "Qdrant",
            (
                stat("Collections", _qdrant(gauge("collections_total"))),
                stat("Vectors", _qdrant(gauge("collections_vector_total"))),
                stat(
                    "Nodes of the cluster",
                    _qdrant(gauge("cluster_peers_total"), rare="one host is no cluster"),
                ),
                time(
                    "Answers",
                    _qdrant(rate("rest_responses_total", "host, endpoint"), _BY_PATH, _QUIET),
                    unit="reqps",
                    width=12,
                ),
                time(
                    "Time of an answer (95 %)",
                    _qdrant(
                        "histogram_quantile(0.95, sum by (le, endpoint) (rate("
                        'rest_responses_duration_seconds_bucket{host=~"$host"}[$__rate_interval])))',
                        "{{endpoint}}",
                        _QUIET,
                    ),
                    unit="s",
                    width=12,
                ),
                time(
                    "Answers that failed",
                    _qdrant(rate("rest_responses_fail_total", "host, endpoint"), _BY_PATH, _QUIET),
                    unit="reqps",
                    width=12,
                ),
                time("Memory", _qdrant(gauge("memory_resident_bytes")), unit="bytes", width=12),
            ),
        ),
        Row(
            "Milvus",
            (
                stat("Collections", _milvus(gauge("milvus_rootcoord_collection_num"))),
                stat(
                    "Entries in memory",
                    _milvus(f"sum by (host) ({gauge('milvus_querynode_entity_num')})", rare=_QUIET),
                ),
                time(
                    "Requests",
                    _milvus(
                        rate("milvus_proxy_req_count", "host, function_name", 'status="total"'),
                        "{{host}} {{function_name}}",
                        _QUIET,
                    ),
                    unit="reqps",
                    width=12,
                ),
                time(
                    "Time of a search (95 %)",
                    _milvus(
                        quantile(0.95, "milvus_proxy_sq_latency", "query_type"), "{{query_type}}", _QUIET
                    ),
                    unit="ms",
                    width=12,
                ),
                time(
                    "Requests that failed",
                    _milvus(
                        rate("milvus_proxy_req_count", "host, function_name", 'status="fail"'),
                        "{{host}} {{function_name}}",
                        "nothing has failed",
                    ),
                    unit="reqps",
                    width=12,
                ),
            ),
        ),
        Row(
            "Weaviate",
            (
                stat("Objects", _weaviate(f"sum by (host) ({gauge('object_count')})")),
                time(
                    "Time of a query (95 %)",
                    _weaviate(quantile(0.95, "queries_durations_ms", "query_type"), "{{query_type}}"),
                    unit="ms",
                    width=12,
                ),
                time(
                    "Time of a batch (95 %)",
                    _weaviate(quantile(0.95, "batch_durations_ms", "operation"), "{{operation}}"),
                    unit="ms",
                    width=12,
                ),
            ),
        ),
    ),
)
