"""Containers get GPUs by CDI alone: with every other way a `systemctl daemon-reload` takes them away again.

See docs/gpu.md, "Containers that lose their GPU" (nvidia-container-toolkit issues 48, 251 and 1227).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from rackwright.containers.compose import project
from rackwright.containers.definition import ContainerService

# What asks for a GPU in the older way: by Docker's option, by the runtime with its hook, by a reservation of
# Compose, or by the variables that the hook reads.
OLD_WAYS = re.compile(
    r"--gpus\b|^\s*gpus:\s*(all|\d)|runtime:\s*[\"']?nvidia\b|default-runtime|driver:\s*[\"']?nvidia\b"
    r"|capabilities:\s*\[[^\]]*gpu|NVIDIA_VISIBLE_DEVICES",
    re.MULTILINE,
)
# Of tools/ the one part that makes containers: elsewhere `--gpus` may be an option of our own.
PLACES = (
    "roles",
    "playbooks",
    "group_vars",
    "inventories",
    "plugins/modules",
    "plugins/module_utils",
    "tools/rackwright/containers",
)
SUFFIXES = {".yml", ".yaml", ".j2", ".py", ".toml"}
TOOLKIT = "roles/nvidia_container_toolkit"


def comments_removed(text: str) -> str:
    return re.sub(r"(^|\s)#.*", "", text)


@pytest.mark.parametrize("place", PLACES)
def test_nothing_asks_for_a_gpu_in_the_older_way(root: Path, place: str) -> None:
    found = {}
    for path in sorted((root / place).rglob("*")):
        if path.suffix not in SUFFIXES or "__pycache__" in path.parts:
            continue
        hits = OLD_WAYS.findall(comments_removed(path.read_text(encoding="utf-8", errors="replace")))
        # What tells an operator how to leave the older way has to name it.
        if hits and path.name != "gpu_verdict.py":
            found[str(path.relative_to(root))] = len(hits)
    assert found == {}


@pytest.mark.parametrize(
    "text",
    [
        "docker run --gpus all image",
        "    runtime: nvidia\n",
        "devices: [{driver: nvidia, capabilities: [gpu]}]",
        "environment: {NVIDIA_VISIBLE_DEVICES: all}",
        "    gpus: all\n",
        '"default-runtime": "nvidia"',
    ],
)
def test_the_older_ways_would_be_seen(text: str) -> None:
    assert OLD_WAYS.search(comments_removed(text))


def test_cdi_would_not_be_taken_for_one() -> None:
    assert not OLD_WAYS.search("docker run --device nvidia.com/gpu=all image\ndevices: [nvidia.com/gpu=0]\n")


def test_the_hook_is_not_installed_and_the_runtime_works_by_cdi(root: Path) -> None:
    packages = yaml.safe_load((root / TOOLKIT / "vars/main.yml").read_text(encoding="utf-8"))
    names = packages["__nvidia_container_toolkit_packages"]
    assert len(names) == 1
    assert names[0].startswith("nvidia-container-toolkit-base{{")
    template = root / TOOLKIT / "templates/etc/nvidia-container-runtime/config.toml.j2"
    modes = re.findall(r'^mode = "(\w+)"', template.read_text(encoding="utf-8"), re.MULTILINE)
    assert modes == ["cdi"]


def test_docker_knows_cdi_on_hosts_with_gpus_and_keeps_its_own_runtime(root: Path) -> None:
    settings: dict[str, Any] = yaml.safe_load((root / "group_vars/all/gpu.yml").read_text(encoding="utf-8"))
    assert "groups['gpu']" in settings["docker_cdi"]
    engine = (root / "roles/docker/vars/main.yml").read_text(encoding="utf-8")
    assert "'cdi': true" in engine
    assert "default-runtime" not in engine


def test_a_container_definition_passes_a_cdi_name_on() -> None:
    definition = {
        "devices": ["nvidia.com/gpu=all"],
        "healthcheck": {"command": ["true"]},
        "memory_mb": 64,
        "cpus": 1,
    }
    image = {"name": "vllm:1", "image_id": f"sha256:{'0' * 64}"}
    service = ContainerService.model_validate({"name": "vllm", "image": image, "definition": definition})
    text = project(service).compose
    assert "nvidia.com/gpu=all" in text
    assert not OLD_WAYS.search(text)
