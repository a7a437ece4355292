"""`rackwright gpu check`: what the hosts said becomes verdicts, a table and an exit status."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from rackwright.cli.gpu import gpu_group
from rackwright.errors import RackwrightError
from rackwright.operations import gpu
from rackwright.operations.events import Recap
from rackwright.operations.runner import Run

FINDING = {
    "severity": "error",
    "check": "xid",
    "found": "Xid 79 at 0000:61:00.0, 1 times: it has fallen off the bus",
    "needed": "none",
    "mend": "check its seat",
}
GOOD = {"verdict": "pass", "ok": True, "driver": "580.95.05", "gpus": [{"model": "H100"}] * 2, "findings": []}
BAD = {"verdict": "fail", "ok": False, "driver": "580.95.05", "gpus": [], "findings": [FINDING]}
NONE = {"verdict": "no_gpu", "ok": True, "driver": "", "gpus": [], "findings": []}


def run_of(results: dict[str, dict[str, Any] | None]) -> Run:
    recap = Recap()
    for host, result in results.items():
        kind = "runner_on_unreachable" if result is None else "runner_on_ok"
        data = {"host": host, "task": "Examine the GPUs", "res": result or {"msg": "no route"}}
        recap.feed({"event": kind, "event_data": data})
    return Run("playbooks/gpu_check.yml", "successful", 0, 1.0, recap, Path("/run.log"))


def test_verdicts_by_host() -> None:
    found = gpu.verdicts(run_of({"b": BAD, "a": GOOD, "c": None, "d": NONE}))
    assert [(entry.host, entry.verdict, entry.ok) for entry in found] == [
        ("a", "pass", True),
        ("b", "fail", False),
        ("c", "unreachable", False),
        ("d", "no_gpu", True),
    ]
    assert found[1].findings[0].mend == "check its seat"


def test_the_table_says_what_to_do() -> None:
    console = Console(width=110, record=True, file=None)
    with console.capture() as captured:
        console.print(gpu.as_table(gpu.verdicts(run_of({"a": GOOD, "b": BAD, "d": NONE}))))
    text = captured.get()
    for word in ("2 x H100", "fallen off the bus", "check its seat", "no GPU"):
        assert word in text


def test_a_site_without_such_hosts_is_told() -> None:
    with pytest.raises(RackwrightError, match="no host was asked"):
        gpu.verdicts(run_of({}))


@pytest.mark.parametrize(("results", "status"), [({"a": GOOD, "d": NONE}, 0), ({"a": GOOD, "b": BAD}, 1)])
def test_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, results: dict[str, dict[str, Any] | None], status: int
) -> None:
    given: list[tuple[str, ...]] = []

    def run(_playbook: str, _inventories: object, *, arguments: tuple[str, ...]) -> Run:
        given.append(tuple(arguments))
        return run_of(results)

    monkeypatch.setattr(gpu, "run_playbook", run)
    result = CliRunner().invoke(gpu_group, ["check", "--json", "--image", "burn:1", "--command", "-d 60"])
    assert result.exit_code == status
    assert '"gpu_check_command": ["-d", "60"]' in given[0][1]
