"""What our collector tells of Ollama, of answers as its API documents them."""

from __future__ import annotations

from rackwright.host_metrics.exposition import rendered
from rackwright.host_metrics.ollama import told

TAGS = {"models": [{"name": "qwen2.5:7b", "size": 4_700}, {"name": "bge-m3:latest", "size": 1_200}]}
LOADED = {"models": [{"name": "qwen2.5:7b", "size": 6_000, "size_vram": 5_000, "expires_at": "x"}]}


def test_models_by_name_and_what_they_take() -> None:
    text = rendered(told(TAGS, LOADED))
    for wanted in (
        'rackwright_ollama_disk_bytes{model="bge-m3:latest"} 1200',
        'rackwright_ollama_loaded{model="qwen2.5:7b"} 1',
        'rackwright_ollama_loaded{model="bge-m3:latest"} 0',
        'rackwright_ollama_memory_bytes{model="qwen2.5:7b"} 6000',
        'rackwright_ollama_vram_bytes{model="qwen2.5:7b"} 5000',
    ):
        assert f"{wanted}\n" in text


def test_one_without_models_is_there() -> None:
    assert "rackwright_ollama_loaded{" not in rendered(told({"models": []}, {"models": []}))
