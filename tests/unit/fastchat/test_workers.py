"""The containers of FastChat's workers."""

from __future__ import annotations

from typing import Any

import pytest

from rackwright.containers.compose import project
from rackwright.containers.definition import parse
from rackwright.errors import RackwrightError
from rackwright.fastchat.workers import workers_of

IMAGE_ID = "sha256:" + "a" * 64
SETTINGS: dict[str, Any] = {
    "image": IMAGE_ID,
    "python": "python3",
    "user": "60603:60603",
    "entry": "print()\n",
    "memory_mb": 4096,
    "cpus": 4.0,
    "concurrency": 4,
    "max_gpu_memory_mb": 20000,
    "heartbeat_seconds": 15,
    "ready_seconds": 600,
    "stop_seconds": 120,
}
QWEN: dict[str, Any] = {"name": "qwen2.5-7b", "directory": "/models/qwen2.5-7b-instruct", "gpus": ["0"]}


def arguments_of(worker: dict[str, Any]) -> dict[str, str]:
    words = worker["definition"]["command"]
    return dict(zip(words[::2], words[1::2], strict=False))


def test_one_worker_for_each_entry_of_gpus() -> None:
    workers = workers_of([QWEN | {"gpus": ["0", "1"]}, QWEN | {"name": "other", "gpus": ["2,3"]}], SETTINGS)
    assert [worker["definition"]["devices"] for worker in workers] == [
        ["nvidia.com/gpu=0"],
        ["nvidia.com/gpu=1"],
        ["nvidia.com/gpu=2", "nvidia.com/gpu=3"],
    ]
    assert [arguments_of(worker)["--num-gpus"] for worker in workers] == ["1", "1", "2"]
    assert arguments_of(workers[2])["--max-gpu-memory"] == "20000MiB"
    assert "--max-gpu-memory" not in arguments_of(workers[0])
    assert len({worker["name"] for worker in workers}) == 3
    assert {worker["definition"]["memory_mb"] for worker in workers} == {4096 // 3}


def test_without_a_gpu_it_runs_on_the_processors() -> None:
    (worker,) = workers_of([QWEN | {"gpus": []}], SETTINGS)
    assert arguments_of(worker)["--device"] == "cpu"
    assert worker["definition"]["devices"] == []


def test_a_container_can_be_made_of_each() -> None:
    for worker in workers_of([QWEN, QWEN | {"name": "Org/Some_Model.v1", "embedding": True}], SETTINGS):
        service = parse(
            {
                "name": worker["name"],
                "image": {"name": "fastchat:1", "image_id": IMAGE_ID},
                "definition": worker["definition"],
            }
        )
        assert project(service).revision
        assert f"http://{worker['name']}:31000" == worker["address"] == worker["definition"]["command"][-1]
        assert worker["address"] in worker["definition"]["healthcheck"]["command"]


def test_the_path_tells_fastchat_which_prompt_template_to_take() -> None:
    model = {"name": "org/qwen2.5:7b", "directory": "/data/trees/qwen2.5-7b/bf16/"}
    (worker,) = workers_of([QWEN | model], SETTINGS)
    assert arguments_of(worker)["--model-path"] == "/models/org-qwen2.5-7b"
    assert worker["definition"]["volumes"] == [
        {"source": "/data/trees/qwen2.5-7b/bf16", "target": "/models/org-qwen2.5-7b"}
    ]


@pytest.mark.parametrize(
    ("model", "setting"),
    [
        ({"directory": "/models/qwen3-8b"}, {}),
        ({"gpus": ["1"]}, {}),
        ({"conv_template": "qwen-7b-chat"}, {}),
        ({"dtype": "bfloat16"}, {}),
        ({"load_8bit": True}, {}),
        ({"embedding": True}, {}),
        ({}, {"image": "sha256:" + "b" * 64}),
        ({}, {"entry": "print(1)\n"}),
        ({}, {"concurrency": 5}),
        ({}, {"memory_mb": 5000}),
        ({}, {"ready_seconds": 601}),
    ],
)
def test_what_changes_a_worker_makes_it_another(model: dict[str, Any], setting: dict[str, Any]) -> None:
    (before,) = workers_of([QWEN], SETTINGS)
    (same,) = workers_of([dict(QWEN)], dict(SETTINGS))
    (after,) = workers_of([QWEN | model], SETTINGS | setting)
    assert same == before
    assert after["name"] != before["name"]


@pytest.mark.parametrize(
    ("models", "setting", "said"),
    [
        ([QWEN | {"gpus": ["0;1"]}], {}, r"fastchat_models\.0\.gpus\.0.*0;1"),
        ([QWEN | {"directory": "models"}], {}, r"fastchat_models\.0\.directory"),
        ([QWEN | {"name": "a,b"}], {}, r"fastchat_models\.0\.name"),
        ([QWEN | {"gpu": ["0"]}], {}, r"fastchat_models\.0\.gpu"),
        ([QWEN, QWEN], {}, "there twice"),
        ([QWEN | {"gpus": ["0,1"], "load_8bit": True}], {}, "one GPU for each worker"),
        ([QWEN], {"memory_mb": 100}, "100 MB would be left"),
        ([QWEN], {"memory_mb": -300}, "-300 MB would be left"),
    ],
)
def test_what_cannot_be_used_is_refused(
    models: list[dict[str, Any]], setting: dict[str, Any], said: str
) -> None:
    with pytest.raises(RackwrightError, match=said):
        workers_of(models, SETTINGS | setting)
