import json
from pathlib import Path

import pytest

from rackwright.cli.main import main
from rackwright.site.paths import repository_root

LAB = str(repository_root() / "inventories/lab")


@pytest.fixture(autouse=True)
def without_the_labs_own_vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lab that is up has a vault beside its inventory, whose password these commands must not need."""
    copy = tmp_path / "lab"
    copy.mkdir()
    (copy / "hosts.yml").symlink_to(f"{LAB}/hosts.yml")
    (copy / "group_vars/all").mkdir(parents=True)
    for name in ("site.yml", "lab.yml"):
        (copy / "group_vars/all" / name).symlink_to(f"{LAB}/group_vars/all/{name}")
    monkeypatch.setenv("RACKWRIGHT_INVENTORY", str(copy))


def run(*arguments: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    assert caught.value.code == 0


def test_services_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    run("services")
    text = capsys.readouterr().out
    for part in ("postgresql", "data1", "sql 5432/tcp TLS", "service:app", "ai_platform"):
        assert part in text


def test_services_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    run("services", "--json")
    entries = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert entries["redis"]["hosts"] == ["data1"]
    assert entries["redis"]["ports"] == ["tls 6379/tcp TLS from service:app, service:dify_api, service:redis"]
    assert entries["redis"]["state"] == "/var/lib/redis"
    assert entries["docker"]["ports"] == []


def test_topology_as_tables(capsys: pytest.CaptureFixture[str]) -> None:
    run("topology")
    text = capsys.readouterr().out
    for part in ("10.77.30.0/24", "outside1", "postgresql", "5432/tcp", "management"):
        assert part in text


def test_topology_as_pictures(tmp_path: Path) -> None:
    html, svg = tmp_path / "site.html", tmp_path / "site.svg"
    run("topology", "--html", str(html), "--svg", str(svg))
    assert html.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert svg.read_text(encoding="utf-8").startswith("<svg ")
    assert svg.read_text(encoding="utf-8") in html.read_text(encoding="utf-8")
