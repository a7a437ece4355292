"""What Ollama's API says of its models: which there are, which are loaded, and what they take."""

from __future__ import annotations

from typing import Any

from rackwright.host_metrics.api import answer_of
from rackwright.host_metrics.exposition import Family


def ollama(address: str, port: int) -> list[Family]:
    """Return its numbers, by model.

    Args:
        address: Where its API is.
        port: The same.

    Raises:
        UnavailableError: It does not answer, or not with 200.
    """
    return told(*(answer_of("ollama", address, port, path) for path in ("/api/tags", "/api/ps")))


def told(there: dict[str, Any], loaded: dict[str, Any]) -> list[Family]:
    """Return the metrics of answers to `GET /api/tags` and `GET /api/ps`."""
    disk = Family("rackwright_ollama_disk_bytes", "What a model takes on the disk.")
    memory = Family("rackwright_ollama_memory_bytes", "What a loaded model takes, on GPUs and beside them.")
    vram = Family("rackwright_ollama_vram_bytes", "What of it is on GPUs.")
    running = Family("rackwright_ollama_loaded", "Whether a model is loaded.")
    names = {str(model["name"]) for model in loaded["models"]}
    for model in there["models"]:
        disk.set(float(model["size"]), model=str(model["name"]))
        running.set(float(model["name"] in names), model=str(model["name"]))
    for model in loaded["models"]:
        memory.set(float(model["size"]), model=str(model["name"]))
        vram.set(float(model.get("size_vram", 0)), model=str(model["name"]))
    return [disk, running, memory, vram]
