"""Kibana: most of its share is the heap of Node.js; the rest is what Node.js takes beside it."""

from __future__ import annotations

from rackwright.sizing.asked import Asked, Sized, as_they_are
from rackwright.sizing.containers import container_limits
from rackwright.sizing.explained import Explained

# Beside the heap: code, buffers, threads. Node.js that may fill its container is killed before it collects.
HEAP_PART = 0.65


def size_kibana(asked: Asked) -> Sized:
    """Derive Kibana's numbers."""
    return as_they_are(
        {
            **container_limits(asked),
            "heap_mb": Explained(
                int(asked.memory_mb * HEAP_PART),
                "MB",
                "memory x 0.65 (--max-old-space-size)",
                {"memory_mb": asked.memory_mb},
                "Node.js documentation, command-line options",
            ),
        }
    )
