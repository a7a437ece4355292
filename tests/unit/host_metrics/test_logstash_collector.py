"""What our collector tells of Logstash, of an answer as its API documents it."""

from __future__ import annotations

from rackwright.host_metrics.exposition import rendered
from rackwright.host_metrics.logstash import told

QUEUE = {"type": "persisted", "events_count": 3, "queue_size_in_bytes": 900, "max_queue_size_in_bytes": 1000}
OUTPUT = {"id": "e", "name": "elasticsearch", "documents": {"successes": 9, "dlq_routed": 2}}
ANSWER = {
    "jvm": {"mem": {"heap_used_percent": 41}},
    "pipelines": {
        "nginx": {
            "events": {"in": 7, "filtered": 7, "out": 6},
            "plugins": {"outputs": [{"id": "p", "name": "pipeline"}]},
            "queue": QUEUE,
        },
        "store": {
            "events": {"in": 6, "filtered": 6, "out": 5},
            "plugins": {"outputs": [OUTPUT]},
            "queue": QUEUE,
            "dead_letter_queue": {"queue_size_in_bytes": 1},
        },
        # Just started: it has not measured its queue yet.
        "refused": {
            "events": {"in": 0, "out": 0},
            "plugins": {"outputs": [{"id": "r", "name": "elasticsearch"}]},
            "queue": {"type": "persisted"},
            "dead_letter_queue": {},
        },
    },
}


def test_lines_queues_and_refusals_by_pipeline() -> None:
    text = rendered(told(ANSWER))
    for wanted in (
        'rackwright_logstash_events_total{pipeline="nginx",way="out"} 6',
        'rackwright_logstash_queue_bytes{pipeline="store"} 900',
        'rackwright_logstash_queue_limit_bytes{pipeline="store"} 1000',
        'rackwright_logstash_queue_bytes{pipeline="refused"} 0',
        'rackwright_logstash_refused_total{pipeline="store"} 2',
        'rackwright_logstash_refused_total{pipeline="refused"} 0',
        "rackwright_logstash_heap_percent 41",
    ):
        assert f"{wanted}\n" in text
    assert 'refused_total{pipeline="nginx"}' not in text
