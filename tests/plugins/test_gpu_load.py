"""gpu_load: the load has an end, and what the cards did meanwhile is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.rackwright import command, gpu_load, gpu_verdict

DATA = Path(__file__).parents[1] / "data/nvidia_smi"
LOADED = DATA.joinpath("h200-loaded.xml").read_text(encoding="utf-8")
PLACE = "0000:00:06.0"


class Host:
    """A host whose nvidia-smi gives one answer after the other; a load lasts until all are given."""

    def __init__(self, answers: list[str], rc: int = 0, output: str = "") -> None:
        self.answers: Iterator[str] = iter(answers)
        self.done = (rc, output)
        self.rest = len(answers)
        self.calls: list[list[str]] = []

    def run(self, argv: list[str], *_: object, **__: object) -> command.Outcome:
        if argv[0] == "nvidia-smi":
            self.rest -= 1
            # Who looks once more before the load is seen to have ended reads nothing.
            return command.Outcome(tuple(argv), 0, next(self.answers, ""), "")
        self.calls.append(argv)
        if argv[:2] == ["docker", "run"] or argv[0] == "timeout":
            until = time.monotonic() + 10
            while self.rest > 0 and time.monotonic() < until:
                time.sleep(0.005)
            return command.Outcome(tuple(argv), self.done[0], self.done[1], "")
        return command.Outcome(tuple(argv), 0, "", "")


Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(gpu_load, "INTERVAL_S", 0.005)

    def load(host: Host, image: str = "", arguments: tuple[str, ...] = ("burn",)) -> dict[str, Any]:
        # The last answer is asked for when the load has ended, and must not count.
        monkeypatch.setattr(command, "run", host.run)
        return gpu_load.run(image, list(arguments), 60)

    return load


def hot(celsius: int, *, load: int = 97) -> str:
    text = LOADED.replace("<gpu_temp>61 C", f"<gpu_temp>{celsius} C")
    text = text.replace("<gpu_util>100 %", f"<gpu_util>{load} %")
    assert f"<gpu_temp>{celsius} C" in text
    assert f"<gpu_util>{load} %" in text
    return text


def test_the_worst_of_a_load_is_kept(run: Run) -> None:
    braked = hot(83).replace(
        "Not Active</clocks_event_reason_hw_slowdown>", "Active</clocks_event_reason_hw_slowdown>"
    )
    result = run(Host([hot(40, load=0), braked, hot(71), hot(30)], rc=124))
    gpu = result["gpus"][PLACE]
    assert (gpu["temperature_c"], gpu["utilisation_percent"], gpu["slowdowns"]) == (83, 97, ["hw_slowdown"])
    assert gpu["samples"] >= 3
    assert (result["rc"], result["temperature_c"]) == (0, 83), "a load that lasted until its time is good"
    (finding,) = gpu_verdict.judge_loaded(result["gpus"])
    assert finding["severity"] == "error"
    assert "braked by hw_slowdown" in finding["found"]


def test_a_card_that_the_load_never_reached_is_no_tested_card(run: Run) -> None:
    result = run(Host([hot(28, load=0)] * 3))
    (finding,) = gpu_verdict.judge_loaded(result["gpus"])
    assert "stayed idle" in finding["found"]
    assert list(gpu_verdict.judge_loaded(run(Host([hot(50)] * 3))["gpus"])) == []


def test_a_container_has_no_network_and_is_removed(run: Run) -> None:
    host = Host([hot(50)] * 2)
    run(host, image="burn:1")
    removed = ["docker", "rm", "--force", gpu_load.CONTAINER]
    before, start, after = host.calls
    assert (before, after) == (removed, removed)
    assert {"--network", "none", "--pull", "never", "nvidia.com/gpu=all"} <= set(start)
    assert start[-2:] == ["burn:1", "burn"]


def test_a_program_of_the_host_is_ended_with_its_children(run: Run) -> None:
    host = Host([hot(50)] * 2, rc=137)
    assert run(host)["rc"] == 0
    assert host.calls == [["timeout", "--kill-after=10", "60", "burn"]]
    assert run(Host([hot(50)] * 2, rc=3, output="GPU 0: FAULTY"))["rc"] == 3


def test_an_answer_that_cannot_be_read_adds_nothing(run: Run) -> None:
    result = run(Host(["<nvidia_smi_log><gpu", "no devices"]))
    assert (result["gpus"], result["temperature_c"]) == ({}, None)
