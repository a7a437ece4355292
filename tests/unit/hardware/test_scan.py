"""rackwright scan, from the command line to the files, with real runs of the playbook."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from recorded_machines import raw
from rich.console import Console

from rackwright.cli.scan import command
from rackwright.errors import RackwrightError
from rackwright.hardware import scan, scan_report
from rackwright.hardware.build import hardware_of
from rackwright.hardware.model import Hardware
from rackwright.hardware.store import path_of, write
from rackwright.operations.events import Recap
from rackwright.operations.runner import Run


def event(host: str, machine: str | None = None, **result: object) -> dict[str, Any]:
    kind, res = "runner_on_ok", dict(result)
    if machine is not None:
        res["raw"] = raw(machine)
    elif "unreachable" in result:
        kind = "runner_on_unreachable"
    else:
        kind = "runner_on_failed"
    return {"event": kind, "event_data": {"host": host, "task": "Read", "res": res}}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "hosts.yml").write_text("all: {hosts: {}}\n")
    return tmp_path / "site"


def answered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *events: Mapping[str, Any]) -> None:
    """Let the next runs of the playbook end with these events."""
    recap = Recap()
    for one in events:
        recap.feed(one)
    log = tmp_path / "output.log"
    log.write_text("\x1b[0;31mERROR! the field 'hosts' is required\x1b[0m\n")
    monkeypatch.setattr(
        scan, "run_playbook", lambda *_a, **_k: Run("playbooks/scan.yml", "successful", 0, 1.0, recap, log)
    )


def run(site: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, ["-i", str(site), *arguments], env={"COLUMNS": "110"})


def test_files_are_written_once(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, tmp_path, event("gpu1", "h100-sxm-8"), event("db1", "none"))
    first = run(site)
    assert first.exit_code == 0, first.output
    path = site / "host_vars/gpu1/hardware.yml"
    assert Hardware.model_validate(yaml.safe_load(path.read_text())["hardware"]).nvswitch
    assert "8 x H100 SXM5 80GB" in first.output
    assert "2 files written" in first.output
    before = path.stat()
    second = run(site)
    assert second.exit_code == 0
    assert "nothing to write" in second.output
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.stat().st_ino == before.st_ino


def test_what_changed_is_shown_and_written(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, _ = hardware_of("t1", raw("t4", driver=False))
    write(path_of([site], "t1"), "t1", before)
    answered(monkeypatch, tmp_path, event("t1", "t4"))
    done = run(site)
    assert "gpus.0000:00:1e.0.driver: (none) -> 515.105.01" in done.output
    assert "515.105.01" in path_of([site], "t1").read_text()


def test_check_writes_nothing_and_exits_with_2(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered(monkeypatch, tmp_path, event("t1", "t4"))
    done = run(site, "--check")
    assert done.exit_code == 2
    assert "1 file would be written" in done.output
    assert not (site / "host_vars").exists()
    run(site)
    assert run(site, "--check").exit_code == 0


def test_hosts_that_are_not_read_are_told_and_the_others_written(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = event("odd1", "t4")
    broken["event_data"]["res"]["raw"]["texts"]["meminfo"] = "MemTotal:   160"
    answered(
        monkeypatch,
        tmp_path,
        event("t1", "t4"),
        event("away1", unreachable=True, msg="Connection timed out"),
        event("bad1", msg="sudo: a password is required"),
        broken,
    )
    kept = path_of([site], "away1")
    write(kept, "away1", hardware_of("away1", raw("none"))[0])
    content = kept.read_text()
    done = run(site)
    assert done.exit_code == 1
    for words in ("Connection timed out", "a password is required", "/proc/meminfo", "1 unreachable"):
        assert words in done.output
    assert path_of([site], "t1").exists()
    assert not path_of([site], "odd1").exists()
    assert kept.read_text() == content


def test_json(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, tmp_path, event("t1", "t4"), event("away1", unreachable=True, msg="no route"))
    done = run(site, "--json")
    assert done.exit_code == 1
    told = json.loads(done.output)
    assert told["ok"] is False
    assert told["written"] is True
    assert [(host["host"], host["status"]) for host in told["hosts"]] == [
        ("away1", "unreachable"),
        ("t1", "new"),
    ]
    assert told["hosts"][1]["hardware"]["gpus"][0]["model"] == "Tesla T4"


def test_a_file_that_is_not_valid_is_replaced_and_told(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = path_of([site], "t1")
    path.parent.mkdir(parents=True)
    path.write_text("hardware: {memory_mb: much}\n")
    answered(monkeypatch, tmp_path, event("t1", "t4"))
    done = run(site)
    assert done.exit_code == 0
    assert "hardware.memory_mb" in done.output
    assert "Tesla T4" in path.read_text()


def test_a_run_without_hosts_is_an_error(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, tmp_path)
    done = run(site)
    assert isinstance(done.exception, RackwrightError)
    assert "no host was asked (successful): ERROR! the field" in done.exception.message


def test_the_table_keeps_to_its_width(site: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answered(
        monkeypatch,
        tmp_path,
        *(event(f"machine-{name}", name) for name in ("h100-sxm-8", "a100-pcie-2", "l40s-2", "none")),
    )
    found, _ = scan.scan_site([site], keep=False)
    shown = io.StringIO()
    Console(width=110, highlight=False, file=shown).print(scan_report.hosts_table(found))
    lines = shown.getvalue().splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 110
    assert "NVSwitch" in " ".join(" ".join(lines).split())


def test_a_real_run(tmp_path: Path) -> None:
    """One call to this machine and one to a port where nobody listens, by the playbook and the module."""
    site = tmp_path / "real"
    site.mkdir()
    (site / "hosts.yml").write_text(
        "all:\n"
        "  vars: {ansible_become: false, ansible_python_interpreter: /usr/bin/python3}\n"
        "  hosts:\n"
        "    here: {ansible_connection: local}\n"
        "    away: {ansible_host: 127.0.0.1, ansible_port: 1}\n"
        "  children: {outside: {hosts: {stranger: {ansible_host: 127.0.0.1, ansible_port: 1}}}}\n"
    )
    done = run(site)
    assert done.exit_code == 1, done.output
    assert "unreachable away" in done.output
    assert "stranger" not in done.output
    written = yaml.safe_load((site / "host_vars/here/hardware.yml").read_text())["hardware"]
    assert Hardware.model_validate(written).memory_mb > 0
    assert run(site, "--limit", "here", "--check").exit_code == 0
    assert [path.name for path in (site / "host_vars").iterdir()] == ["here"]
