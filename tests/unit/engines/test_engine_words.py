"""What engines are told: Ollama's models, vLLM's instances."""

from typing import Any

import pytest

from rackwright.engines.ollama import asked_model, brought_files, wanted_models
from rackwright.engines.vllm import Host, instances_of
from rackwright.errors import RackwrightError

SUM = "a" * 64
DEFAULTS: dict[str, Any] = {
    "tensor_parallel_size": 2, "pipeline_parallel_size": 1, "max_model_len": 4096, "max_num_seqs": 16,
    "gpu_memory_utilization": 0.9, "kv_cache_dtype": "auto", "dtype": "auto", "quantization": "",
}  # fmt: skip


def host(**changes: Any) -> Host:  # noqa: ANN401 - fields of Host
    values: dict[str, Any] = {
        "ports": [8000, 8001], "memory_mb": 64000, "cpus": 16.0, "shm_mb": 2048,
        "all_gpus": "nvidia.com/gpu=all",
        "defaults": DEFAULTS,
    }  # fmt: skip
    return Host(**(values | changes))


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]


def test_a_model_of_a_file_is_brought_and_made() -> None:
    models = [{"name": "qwen3", "source": "/srv/q.gguf", "sha256": SUM, "parameters": {"stop": ["x"]}}]
    dest = f"/d/models/qwen3-{SUM[:12]}.gguf"
    assert brought_files(models, "/d") == [{"dest": dest, "source": "/srv/q.gguf", "sha256": SUM}]
    assert wanted_models(models, "/d") == [
        {"name": "qwen3:latest", "file": dest, "sha256": SUM, "parameters": {"stop": ["x"]}}
    ]


def test_a_file_that_is_there_is_not_brought_again() -> None:
    models = [{"name": "r.example:5000/a/b", "path": "/store/model.gguf", "sha256": SUM}]
    assert brought_files(models, "/d") == []
    assert wanted_models(models, "/d")[0]["name"] == "r.example:5000/a/b:latest"
    assert wanted_models(models, "/d")[0]["file"] == "/store/model.gguf"


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        ([{"name": "a"}], "no place to come from"),
        ([{"name": "a", "path": "/a", "pull": "a"}], "path and pull"),
        ([{"name": "a", "pull": "a"}, {"name": "a:latest", "pull": "a"}], "named twice"),
        ([{"name": "a", "pull": "a", "system": "x"}], "pulled with its own system"),
    ],
)
def test_models_that_cannot_be_are_refused(models: list[dict[str, Any]], expected: str) -> None:
    with pytest.raises(RackwrightError, match=expected):
        wanted_models(models, "/d")


def test_the_first_model_that_answers_questions_is_asked() -> None:
    assert asked_model([{"name": "bge-m3", "embedding": True}, {"name": "qwen3"}]) == "qwen3"
    assert asked_model([]) == ""


def test_two_instances_share_the_host_and_not_their_gpus() -> None:
    given = [
        {"name": "m", "path": "/m", "gpus": [0, 1]},
        {"name": "m", "path": "/m", "gpus": [2, 3], "max_model_len": 8192},
    ]
    first, second = instances_of(given, host())
    assert (first["container"], second["container"]) == ("vllm", "vllm_1")
    assert (first["port"], second["port"]) == (8000, 8001)
    assert second["devices"] == ["nvidia.com/gpu=2", "nvidia.com/gpu=3"]
    assert first["memory_mb"] + second["memory_mb"] <= 64000
    assert option(first["arguments"], "--max-model-len") == "4096"
    assert option(second["arguments"], "--max-model-len") == "8192"
    assert option(first["arguments"], "--model") == "/models/m"
    assert "--quantization" not in first["arguments"]


def test_an_instance_that_names_no_gpu_has_all_of_them_or_none() -> None:
    assert instances_of([{"name": "m", "path": "/m"}], host())[0]["devices"] == ["nvidia.com/gpu=all"]
    assert instances_of([{"name": "m", "path": "/m"}], host(all_gpus=""))[0]["devices"] == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([{"gpus": [0]}], "needs 2"),
        ([{"gpus": [0, 1]}, {"gpus": [1, 2]}], "GPU 1 is given out 1.80 times"),
        ([{}, {}, {}], "has 3 entries"),
        ([{"nodes": ["a", "b"]}], "over the hosts a, b"),
        ([{"arguments": ["--api-key=x"]}], "--api-key"),
        ([{"arguments": ["--trust-remote-code"]}], "--trust-remote-code"),
    ],
)
def test_instances_that_cannot_be_are_refused(given: list[dict[str, Any]], expected: str) -> None:
    entries = [{"name": "m", "path": "/m", **entry} for entry in given]
    with pytest.raises(RackwrightError, match=expected):
        instances_of(entries, host())


def test_no_secret_is_an_argument() -> None:
    words = instances_of([{"name": "m", "path": "/m"}], host())[0]["arguments"]
    assert "--api-key" not in words
