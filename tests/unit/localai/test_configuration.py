"""LocalAI's configuration of models."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from rackwright.errors import RackwrightError
from rackwright.localai.configuration import configuration

SHA = "a" * 64
QWEN: dict[str, Any] = {"name": "qwen3:8b", "source": "/srv/qwen3.gguf", "sha256": SHA}
BGE: dict[str, Any] = {"name": "bge-m3", "path": "/data/trees/bge-m3/q8_0/model.gguf", "embedding": True}
COMMON: dict[str, Any] = {
    "context": 4096,
    "parallel": 4,
    "gpu": False,
    "directory": "/var/lib/rackwright/models",
}


def test_a_file_that_is_brought_and_one_that_is_there() -> None:
    made = configuration([QWEN, BGE], **COMMON)
    brought = f"/var/lib/rackwright/models/qwen3-8b-{SHA[:12]}.gguf"
    assert made["artifacts"] == [{"dest": brought, "source": "/srv/qwen3.gguf", "sha256": SHA}]
    assert made["volumes"] == [
        {"source": brought, "target": f"/models/qwen3-8b-{SHA[:12]}.gguf"},
        {"source": "/data/trees/bge-m3/q8_0/model.gguf", "target": "/models/bge-m3.gguf"},
    ]
    assert (made["chat"], made["embeddings"]) == (["qwen3:8b"], ["bge-m3"])


def test_the_configuration_names_the_files_of_the_container() -> None:
    made = configuration([QWEN, BGE], **COMMON)
    entries = yaml.safe_load(made["text"])
    files = {volume["target"].removeprefix("/models/") for volume in made["volumes"]}
    assert {entry["parameters"]["model"] for entry in entries} == files
    assert entries[0]["context_size"] == 4096 * 4
    assert entries[0]["options"] == ["parallel:4"]
    assert entries[0]["gpu_layers"] == 0
    assert "embeddings" not in entries[0]
    assert entries[1]["embeddings"] is True


def test_gpus_get_all_layers_and_a_model_may_have_its_own_context() -> None:
    made = configuration(
        [QWEN | {"context": 1024, "extra": {"stopwords": ["<|im_end|>"]}}], **COMMON | {"gpu": True}
    )
    (entry,) = yaml.safe_load(made["text"])
    assert entry["gpu_layers"] > 100
    assert entry["context_size"] == 1024 * 4
    assert entry["stopwords"] == ["<|im_end|>"]


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ([{"name": "a"}], "a: needs `source`"),
        ([QWEN | {"path": "/x.gguf"}], "one of the two"),
        ([{"name": "a", "source": "/x.gguf"}], "the file's sha256"),
        ([QWEN | {"source": "huggingface://x"}], r"localai_models\.0\.source"),
        ([QWEN | {"extra": {"download_files": []}}], "download_files"),
        ([QWEN | {"extra": {"name": "b"}}], "the role sets it"),
        ([QWEN | {"template": "x"}], r"localai_models\.0\.template"),
        ([QWEN, QWEN], "there twice"),
    ],
)
def test_what_cannot_be_used_is_refused(models: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(RackwrightError, match=said):
        configuration(models, **COMMON)
