"""What Logstash's API says of its pipelines: lines, queues, and what its store refused."""

from __future__ import annotations

from typing import Any

from rackwright.host_metrics.api import answer_of
from rackwright.host_metrics.exposition import Family

_STATISTICS = "/_node/stats"


def logstash(address: str, port: int) -> list[Family]:
    """Return its numbers, by pipeline.

    Args:
        address: Where its API is.
        port: The same.

    Raises:
        UnavailableError: It does not answer, or not with 200.
    """
    return told(answer_of("logstash", address, port, _STATISTICS))


def told(answer: dict[str, Any]) -> list[Family]:
    """Return the metrics of an answer to `GET /_node/stats`."""
    events = Family("rackwright_logstash_events_total", "Lines that came, and that left.", "counter")
    queue = Family("rackwright_logstash_queue_bytes", "What waits in a pipeline's queue on the disk.")
    limit = Family("rackwright_logstash_queue_limit_bytes", "What may wait there.")
    refused = Family("rackwright_logstash_refused_total", "Lines that the store refused.", "counter")
    heap = Family("rackwright_logstash_heap_percent", "What of its heap is used.")
    heap.set(float(answer["jvm"]["mem"]["heap_used_percent"]))
    for name, pipeline in answer["pipelines"].items():
        for way in ("in", "out"):
            events.set(float(pipeline["events"][way]), pipeline=name, way=way)
        waiting = pipeline.get("queue") or {}
        if waiting.get("type") == "persisted":
            queue.set(float(waiting.get("queue_size_in_bytes", 0)), pipeline=name)
            limit.set(float(waiting.get("max_queue_size_in_bytes", 0)), pipeline=name)
        outputs = [output.get("documents") or {} for output in pipeline["plugins"]["outputs"]]
        if "dead_letter_queue" in pipeline:
            refused.set(float(sum(output.get("dlq_routed", 0) for output in outputs)), pipeline=name)
    return [events, queue, limit, refused, heap]
