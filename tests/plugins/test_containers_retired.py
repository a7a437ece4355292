"""containers_retired: what is stopped and removed, and what stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from rackwright.operations.events import TaskResult
from rackwright.plan.collect import items_of

RunModule: TypeAlias = Callable[..., dict[str, Any]]
# Answers as Docker does for a container of compose, and writes down what it is told.
DOCKER = """#!/bin/sh
echo "$*" >> {log}
if [ "$1 $2" = "container inspect" ]; then
  labels='{{"com.docker.compose.project": "'$3'"}}'
  echo '[{{"Config": {{"Labels": '"$labels"'}}, "State": {{"Status": "running"}}, "Image": "x"}}]'
fi
"""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with the containers of several engines."""
    for name in ("vllm", "vllm_1", "vllm_next", "fastchat-api", "fastchat-worker-a-0-1", "ollama", "chroma"):
        (tmp_path / "containers" / name).mkdir(parents=True)
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER.format(log=tmp_path / "log"))
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{docker.parent}:/usr/bin:/bin")
    return tmp_path


def retire(run_module: RunModule, host: Path, names: list[str], **more: object) -> dict[str, Any]:
    given = {"names": names, "directory": str(host / "containers"), **more}
    told = run_module("containers_retired", given)
    assert not told["failed"], told
    return told


def left(host: Path) -> set[str]:
    return {path.name for path in (host / "containers").iterdir()}


def test_the_containers_of_other_engines_go(run_module: RunModule, host: Path) -> None:
    told = retire(run_module, host, ["vllm", "vllm_*", "fastchat-*"], why="the engine here is ollama")
    assert told["changed"]
    assert left(host) == {"ollama", "chroma"}
    assert "fastchat-api" in {entry["name"] for entry in told["items"]}
    assert {entry["reason"] for entry in told["items"]} == {"the engine here is ollama"}
    # Without --volumes: data stays.
    assert "compose --project-name vllm_1 down\n" in (host / "log").read_text()
    assert not retire(run_module, host, ["vllm", "vllm_*", "fastchat-*"])["changed"]


def test_what_is_kept_stays_though_a_pattern_means_it(run_module: RunModule, host: Path) -> None:
    retire(run_module, host, ["vllm", "vllm_[0-9]*"], keep=["vllm"])
    assert {"vllm", "vllm_next"} <= left(host)
    assert "vllm_1" not in left(host)


def test_check_mode_says_it_and_plan_tells_it(run_module: RunModule, host: Path) -> None:
    before = left(host)
    given = {"names": ["ollama"], "directory": str(host / "containers")}
    told = run_module("containers_retired", given, check=True)
    assert told["changed"]
    assert left(host) == before
    result = TaskResult("a", "", "", "", "containers_retired", "changed", 0.0, told)
    ((_, item),) = items_of(result)
    assert (item.kind, item.name, item.action) == ("container", "ollama", "removed")
