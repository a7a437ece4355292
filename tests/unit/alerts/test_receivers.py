"""Who is told: Alertmanager's configuration as amtool takes it, and what is refused."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from rackwright.alerts.receivers import RELAY, Receiver, Route, configuration, relay

GROUPING = {"group_wait": "30s", "group_interval": "5m", "repeat_interval": "4h"}
ALL: list[dict[str, Any]] = [
    {"name": "hook", "kind": "webhook", "url": "https://hook.example/alerts", "secret": "a-token"},
    {
        "name": "mail",
        "kind": "email",
        "to": ["ops@example.com", "boss@example.com"],
        "from_address": "alerts@example.com",
        "smarthost": "mail.example.com:587",
        "username": "alerts",
        "secret": "a-password",
    },
    {"name": "ding", "kind": "dingtalk", "url": "https://ding.example/send?access_token=k", "secret": "SEC1"},
    {"name": "feishu", "kind": "feishu", "url": "https://feishu.example/hook/k", "language": "zh"},
    {"name": "wecom", "kind": "wecom", "url": "https://wecom.example/send?key=k", "severities": ["critical"]},
    {
        "name": "app",
        "kind": "wechat",
        "corp_id": "c",
        "agent_id": "1",
        "to_user": "@all",
        "secret": "s",
        "repeat": "1h",
    },
]


def made(receivers: list[dict[str, Any]], routes: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return configuration(
        [Receiver.model_validate(entry) for entry in receivers],
        [Route.model_validate(entry) for entry in routes or []],
        GROUPING,
    )


def amtool(folder: Path, config: dict[str, Any], *words: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("amtool")
    assert program, "amtool is not installed: make packages"
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    command = [program, *words] if words else [program, "check-config", "alertmanager.yml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def told(folder: Path, config: dict[str, Any], **labels: str) -> list[str]:
    """Ask amtool who hears of an alert with these labels."""
    shown = [f"{name}={value}" for name, value in labels.items()]
    done = amtool(folder, config, "config", "routes", "test", "--config.file=alertmanager.yml", *shown)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().split(",")


def test_amtool_takes_every_kind(tmp_path: Path) -> None:
    done = amtool(tmp_path, made(ALL))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(ALL) + 1} receivers" in done.stdout


def test_without_a_receiver_nobody_is_told(tmp_path: Path) -> None:
    config = made([])
    assert amtool(tmp_path, config).returncode == 0
    assert told(tmp_path, config, alertname="HostDown", severity="critical") == ["nobody"]


def test_a_receiver_hears_of_its_severities(tmp_path: Path) -> None:
    config = made(ALL)
    everybody = [entry["name"] for entry in ALL]
    assert told(tmp_path, config, alertname="HostDown", severity="critical") == everybody
    assert "wecom" not in told(tmp_path, config, alertname="HostCpuBusy", severity="warning")
    assert told(tmp_path, config, alertname="HostRebootNeeded", severity="info") == ["nobody"]


def test_a_route_keeps_its_alerts_from_others(tmp_path: Path) -> None:
    routes = [
        {"to": ["mail", "ding"], "services": ["postgresql", "redis"]},
        {"to": ["app"], "zones": ["dmz"]},
    ]
    config = made(ALL, routes)
    assert amtool(tmp_path, config).returncode == 0
    database = {"alertname": "PostgresqlDown", "severity": "critical", "service": "postgresql"}
    assert told(tmp_path, config, **database) == ["mail", "ding"]
    assert told(tmp_path, config, alertname="EdgeDown", severity="critical", zone="dmz") == ["app"]
    assert told(tmp_path, config, alertname="HostDown", severity="critical", zone="app")[0] == "hook"


def test_robots_are_spoken_to_by_the_relay_which_alone_knows_their_keys() -> None:
    config = made(ALL)
    text = yaml.safe_dump(config)
    robots = {"ding", "feishu", "wecom"}
    assert "access_token" not in text
    assert {entry["name"] for entry in config["receivers"] if RELAY in yaml.safe_dump(entry)} == robots
    robot = relay([Receiver.model_validate(entry) for entry in ALL])
    assert set(robot) == robots
    assert robot["ding"] == {
        "kind": "dingtalk",
        "url": "https://ding.example/send?access_token=k",
        "secret": "SEC1",
        "language": "en",
    }


@pytest.mark.parametrize(
    ("entry", "lacking"),
    [
        ({"name": "hook", "kind": "webhook"}, "url"),
        ({"name": "ding", "kind": "dingtalk"}, "url"),
        ({"name": "mail", "kind": "email", "to": ["a@b.c"]}, "from_address, smarthost"),
        (ALL[1] | {"secret": ""}, "secret"),
        (ALL[5] | {"secret": ""}, "secret"),
    ],
)
def test_a_receiver_without_what_it_needs_is_refused(entry: dict[str, Any], lacking: str) -> None:
    with pytest.raises(ValidationError, match=f"lacks {lacking}"):
        Receiver.model_validate(entry)
