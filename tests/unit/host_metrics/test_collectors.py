"""Our own collectors: what they say of recorded answers; what cannot be asked is not told as before."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rackwright.host_metrics import apparmor, containers, host, main, services
from rackwright.host_metrics.access_log import AccessLog
from rackwright.host_metrics.commands import UnavailableError
from rackwright.host_metrics.exposition import Family, Histogram, rendered, write
from rackwright.host_metrics.main import Collector, look


def samples(families: list[Any]) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (family.name, key): value
        for family in families
        if isinstance(family, Family)
        for key, value in family.samples.items()
    }


def test_promtool_takes_what_is_written() -> None:
    family = Family("a_total", "What it is.", "counter")
    family.set(3, name='with "quotes", a \\ and\nlines')
    histogram = Histogram("b_seconds", "How long.", (0.5, 1.0))
    for seconds in (0.2, 0.7, 9.0):
        histogram.observe(seconds, host_name="api")
    text = rendered([family, histogram])
    program = shutil.which("promtool")
    assert program, "promtool is not installed: make packages"
    done = subprocess.run(
        [program, "check", "metrics"], input=text, capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stdout + done.stderr + text
    assert 'b_seconds_bucket{host_name="api",le="1.0"} 2' in text
    assert 'b_seconds_bucket{host_name="api",le="+Inf"} 3' in text
    assert 'b_seconds_count{host_name="api"} 3' in text


def entry(status: int, seconds: float = 0.1, host_name: str = "api") -> str:
    return json.dumps({"status": status, "seconds": seconds, "host": host_name}) + "\n"


def counted(log: AccessLog) -> dict[str, float]:
    requests, _ = log.read()
    assert isinstance(requests, Family)
    return {dict(key)["status"]: value for key, value in requests.samples.items()}


def test_a_log_is_counted_from_where_it_was_and_through_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text(entry(200))
    log = AccessLog("edge", path)
    assert counted(log) == {}, "what was there before was not answered while we looked"
    with path.open("a") as file:
        file.write(entry(200) + entry(502) + "no JSON\n" + entry(0) + '{"status": 200')
    assert counted(log) == {"200": 1, "502": 1}
    with path.open("a") as file:
        file.write(', "seconds": 1, "host": "api"}\n')
    assert counted(log) == {"200": 2, "502": 1}
    path.rename(tmp_path / "access.log.1")
    path.write_text(entry(404))
    assert counted(log) == {"200": 2, "502": 1, "404": 1}
    path.unlink()
    assert counted(log) == {"200": 2, "502": 1, "404": 1}


def test_units_and_containers_are_seen_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = "Id=redis-server.service\nActiveState=active\n\nId=nginx.service\nActiveState=failed\n"
    monkeypatch.setattr(services, "run", lambda *_, **__: shown)
    docker = [
        {"Names": ["/vllm"], "Status": "Up 3 hours (unhealthy)"},
        {"Names": ["/qdrant"], "Status": "Up"},
    ]
    monkeypatch.setattr(services, "ask_docker", lambda _: docker)
    wanted = [
        {"service": "redis", "unit": "redis-server.service"},
        {"service": "nginx", "unit": "nginx.service"},
        {"service": "vllm", "container": "vllm"},
        {"service": "qdrant", "container": "qdrant"},
        {"service": "ollama", "container": "ollama"},
    ]
    found = {dict(key)["service"]: value for (_, key), value in samples(services.services(wanted)).items()}
    assert found == {"redis": 1, "nginx": 0, "vllm": 0, "qdrant": 1, "ollama": 0}


def test_containers_use_is_dockers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "/containers/json?all=1": [{"Id": "a", "Names": ["/vllm"]}, {"Id": "b", "Names": ["/old"]}],
        "/containers/a/json": {
            "State": {"Running": True, "Health": {"Status": "healthy"}},
            "RestartCount": 2,
        },
        "/containers/b/json": {"State": {"Running": False}, "RestartCount": 0},
        "/containers/a/stats?stream=false&one-shot=true": {
            "memory_stats": {"usage": 1000, "limit": 4000, "stats": {"inactive_file": 300}},
            "cpu_stats": {"cpu_usage": {"total_usage": 2_500_000_000}},
            "networks": {"eth0": {"rx_bytes": 10, "tx_bytes": 20}, "eth1": {"rx_bytes": 1, "tx_bytes": 2}},
        },
    }
    monkeypatch.setattr(containers, "ask_docker", lambda path: answers[path])
    found = samples(containers.containers())
    own = (("container", "vllm"),)
    assert found["rackwright_container_memory_bytes", own] == 700
    assert found["rackwright_container_cpu_seconds_total", own] == 2.5
    assert found["rackwright_container_network_transmit_bytes_total", own] == 22
    assert found["rackwright_container_restarts_total", own] == 2
    assert found["rackwright_container_running", (("container", "old"),)] == 0
    assert ("rackwright_container_healthy", (("container", "old"),)) not in found


def test_a_newer_kernel_asks_for_a_reboot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(host, "KERNELS", tmp_path)
    monkeypatch.setattr(host, "REBOOT_REQUIRED", tmp_path / "reboot-required")
    monkeypatch.setattr(host.os, "uname", type("U", (), {"release": "6.12.9-amd64"}))
    assert samples(host.reboot())["rackwright_reboot_required", ()] == 0
    (tmp_path / "6.12.9-amd64").mkdir()
    (tmp_path / "6.12.10-amd64").mkdir()
    assert samples(host.reboot())["rackwright_reboot_required", ()] == 1
    (tmp_path / "6.12.10-amd64").rmdir()
    (tmp_path / "reboot-required").touch()
    assert samples(host.reboot())["rackwright_reboot_required", ()] == 1


@pytest.mark.parametrize(("status", "whole"), [(0, 1.0), (1, 0.0)])
def test_the_audit_trail_is_judged_by_the_program_itself(status: int, whole: float) -> None:
    found = samples(
        host.audit(["/bin/sh", "-c", f"echo 7 lines, 2 chains, {status} problems; exit {status}"])
    )
    assert found["rackwright_audit_chain_ok", ()] == whole


@pytest.mark.parametrize("script", ["exit 2", "echo no database >&2; exit 1"])
def test_a_trail_that_cannot_be_looked_at_is_not_called_broken(script: str) -> None:
    with pytest.raises(UnavailableError):
        host.audit(["/bin/sh", "-c", script])


def test_what_cannot_be_asked_leaves_no_old_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers: list[Any] = [[Family("x", "X.", samples={(): 1.0})], UnavailableError("gone")]

    def collect() -> list[Family]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return list(answer)

    outcome = Family("rackwright_collector_ok", "Whether.")
    collector = Collector("firewall", 15.0, collect)
    look([collector], tmp_path, outcome, 100.0)
    assert (tmp_path / "rackwright-firewall.prom").exists()
    look([collector], tmp_path, outcome, 110.0)
    assert len(answers) == 1, "it was not due"
    look([collector], tmp_path, outcome, 116.0)
    assert not (tmp_path / "rackwright-firewall.prom").exists()
    assert 'collector="firewall"} 0' in (tmp_path / "rackwright-collectors.prom").read_text()
    assert "gone" in capsys.readouterr().err


def test_a_file_is_whole_or_old(tmp_path: Path) -> None:
    path = tmp_path / "a.prom"
    write(path, "old\n")
    write(path, "new\n")
    assert path.read_text() == "new\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.prom"]


AVC = 'type=AVC audit(1:7): apparmor="%s" operation="open" profile="rackwright.redis" name="%s" comm="r"\n'


@pytest.fixture
def confined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> apparmor.AppArmor:
    """Redis, process 7, on a host whose recorder writes a file of the test."""
    monkeypatch.setattr(apparmor, "RECORDER", tmp_path / "audit.log")
    monkeypatch.setattr(apparmor, "PROCESSES", tmp_path)
    monkeypatch.setattr(apparmor, "run", lambda *_, **__: "MainPID=7\n")
    (tmp_path / "audit.log").write_text(AVC % ("DENIED", "/etc/shadow"))
    (tmp_path / "7/attr").mkdir(parents=True)
    (tmp_path / "7/attr/current").write_text("rackwright.redis (enforce)\n")
    entry = {"service": "redis", "profile": "rackwright.redis", "units": ["redis-server.service"]}
    return apparmor.AppArmor([entry | {"mode": "enforce"}])


DENIED = ("rackwright_apparmor_denials_total", (("profile", "rackwright.redis"), ("verdict", "denied")))
ALLOWED = ("rackwright_apparmor_denials_total", (("profile", "rackwright.redis"), ("verdict", "allowed")))
UNDER = ("rackwright_apparmor_confined", (("name", "redis-server.service"), ("service", "redis")))


def test_denials_are_counted_and_told(
    confined: apparmor.AppArmor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert samples(confined.read()) == {DENIED: 0, UNDER: 1}, "what was there before was denied before"
    with (tmp_path / "audit.log").open("a") as file:
        file.write(
            "type=CWD msg=audit(1.1:8)\n" + (AVC % ("DENIED", "/etc/shadow")) * 30 + AVC % ("ALLOWED", "/a")
        )
    assert samples(confined.read()) == {DENIED: 30, ALLOWED: 1, UNDER: 1}
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "apparmor denied: operation=open profile=rackwright.redis name=/etc/shadow comm=r"
    assert len(lines) == apparmor.MOST_LINES, "what is told is bounded"
    (tmp_path / "audit.log").rename(tmp_path / "audit.log.1")
    (tmp_path / "audit.log").write_text(AVC % ("DENIED", "/etc/passwd"))
    assert samples(confined.read())[DENIED] == 31


def test_a_unit_outside_of_its_profile_is_seen(confined: apparmor.AppArmor, tmp_path: Path) -> None:
    for label in ("unconfined", "rackwright.redis (complain)"):
        (tmp_path / "7/attr/current").write_text(f"{label}\n")
        assert samples(confined.read())[UNDER] == 0


def test_without_a_recorder_the_kernel_s_journal_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def answer(command: list[str], **_: object) -> str:
        asked.append(list(command))
        return f"{AVC % ('DENIED', '/a')}-- cursor: s={len(asked)}\n" if command[0] == "journalctl" else ""

    monkeypatch.setattr(apparmor, "RECORDER", tmp_path / "none")
    monkeypatch.setattr(apparmor, "run", answer)
    told = apparmor.AppArmor([])
    assert samples(told.read()) == {DENIED: 1}
    assert asked[-1][-1] == "--after-cursor=s=1"
    assert samples(told.read()) == {DENIED: 2}
    assert asked[-1][-1] == "--after-cursor=s=2"


def test_there_are_as_many_collectors_as_there_is_to_ask(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "services": [],
        "access_logs": [{"name": "edge", "path": str(tmp_path / "access.log")}],
        "audit_command": ["/bin/true"],
        "gpus": 2,
        "confined": [],
        "logstash": {"address": "10.0.40.11", "port": 9600},
        "ollama": {"address": "10.0.20.12", "port": 11434},
    }
    names = {collector.name for collector in main.collectors(settings)}
    assert {"services", "firewall", "reboot", "access_edge", "audit", "gpus", "logstash", "ollama"} <= names
