"""The role grafana: who gets in, what it has of its files, whether its datasources answer, how shut in it is.

A contract double of Grafana stands here unless RACKWRIGHT_GRAFANA_IMAGE names the real program.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from asking import answer_of
from machines import Machines

from rackwright.dashboards.boards import BOARDS
from rackwright.dashboards.model import reduced
from rackwright.report.collect import have_of
from rackwright.site.inventory import load_inventory

PROJECT = Path(__file__).resolve().parents[3]
SOURCES = [Path(source) for source in os.environ["RACKWRIGHT_INVENTORY"].split(":")]
Ask = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="session")
def variables() -> Mapping[str, Any]:
    """What the inventory says of the host, with its vault."""
    return load_inventory(SOURCES).hosts["ops1"].variables


@pytest.fixture(scope="session")
def base(variables: Mapping[str, Any]) -> str:
    return f"https://{variables['ansible_host']}:3002"


@pytest.fixture(scope="session")
def ask(machines: Machines, variables: Mapping[str, Any], base: str) -> Ask:
    """A function that asks Grafana: status and JSON."""
    passwords = {
        "admin": variables["vault_grafana_admin_password"],
        "viewer": variables["vault_grafana_viewer_password"],
        "ann": f"{variables['vault_grafana_viewer_password']}-ann",
    }

    def asked(path: str, login: str = "admin", body: object = None, password: str = "") -> tuple[int, Any]:
        who = (login, password or passwords.get(login, ""))
        status, said = answer_of(machines, "ops1", f"{base}{path}", who, body)
        try:
            return status, json.loads(said)
        except ValueError:
            return status, said

    return asked


def apply(*more: str) -> int:
    """Applies the play once more, and returns how much it changed."""
    command = ["ansible-playbook", "playbooks/grafana.yml", "--limit", "ops1,edge1", *more]
    command += [part for source in SOURCES for part in ("-i", str(source))]
    environment = os.environ | {
        "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
        "MOLECULE_PROJECT_DIRECTORY": str(PROJECT),
    }
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return sum(map(int, re.findall(r"changed=(\d+)", done.stdout)))


def test_only_accounts_of_the_inventory_get_in(ask: Ask) -> None:
    assert ask("/api/health", login="")[0] == 200
    assert ask("/api/search", login="")[0] == 401, "nobody without an account"
    assert ask("/api/user", "admin", None, "admin")[0] == 401, "the program's own first password"
    assert ask("/api/signup", login="", body={"email": "a@b"})[0] in {401, 404}
    roles = {entry["login"]: entry["role"] for entry in ask("/api/org/users")[1]}
    assert roles == {"admin": "Admin", "viewer": "Viewer", "ann": "Editor"}
    assert ask("/api/user", "viewer")[1]["login"] == "viewer"
    assert ask("/api/org/users", "viewer")[0] == 403


def test_it_has_the_sites_dashboards_in_their_folders(ask: Ask, machines: Machines) -> None:
    have = have_of(machines.site, gpu=False)
    wanted = {board.uid: "Rackwright" for board in BOARDS if reduced(board, have) is not None}
    found = {entry["uid"]: entry["folderTitle"] for entry in ask("/api/search?type=dash-db")[1]}
    assert found == {**wanted, "my-own": "Site"}
    assert ask("/api/dashboards/uid/rackwright-overview")[1]["meta"]["provisioned"] is True
    saved = {"dashboard": ask("/api/dashboards/uid/rackwright-host")[1]["dashboard"], "overwrite": True}
    assert ask("/api/dashboards/db", body=saved)[0] == 400, "what comes from files is not changed in the page"


def test_prometheus_answers_it(ask: Ask) -> None:
    sources = {entry["uid"]: entry for entry in ask("/api/datasources")[1]}
    assert sources["rackwright-prometheus"]["isDefault"]
    assert sources["rackwright-prometheus"]["readOnly"]
    status, said = ask("/api/datasources/proxy/uid/rackwright-prometheus/api/v1/query?query=up")
    assert status == 200, said
    hosts = {series["metric"]["host"] for series in said["data"]["result"]}
    assert "ops1" in hosts


def test_the_edge_passes_its_page_to_administrators(machines: Machines, variables: Mapping[str, Any]) -> None:
    edge = machines.site.hosts["edge1"].address
    name = f"monitoring.{variables['domain']}"
    command = (
        f"curl -sS --cacert /etc/rackwright/tls/ca.pem --resolve {name}:443:{edge} https://{name}/api/health"
    )
    control = subprocess.run(
        ["curl", "-sSk", "--resolve", f"{name}:443:{edge}", f"https://{name}/api/health"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert json.loads(control.stdout)["database"] == "ok", control.stdout + control.stderr
    assert '"database"' not in machines.inside("ops1", f"{command} || true"), "ops1 is no administrator's"


def test_it_is_shut_in_and_no_secret_is_shown(machines: Machines, variables: Mapping[str, Any]) -> None:
    shown = machines.inside("ops1", "docker inspect grafana")
    for name in ("admin_password", "viewer_password", "secret_key"):
        assert variables[f"vault_grafana_{name}"] not in shown
    (found,) = json.loads(shown)
    assert found["HostConfig"]["ReadonlyRootfs"]
    assert found["HostConfig"]["CapDrop"] == ["ALL"]
    assert found["Config"]["User"] == "60640:60640"
    environment = dict(entry.split("=", 1) for entry in found["Config"]["Env"])
    for name in (
        "ANALYTICS_REPORTING_ENABLED",
        "ANALYTICS_CHECK_FOR_UPDATES",
        "PLUGINS_PLUGIN_ADMIN_ENABLED",
    ):
        assert environment[f"GF_{name}"] == "false"


def test_a_renewed_certificate_and_another_dashboard_need_no_restart(machines: Machines, ask: Ask) -> None:
    started = machines.inside("ops1", "docker inspect -f '{{.State.StartedAt}}' grafana")
    machines.inside("ops1", "rm /etc/rackwright/grafana/dashboards/rackwright/rackwright-host.json")
    machines.inside("ops1", "echo '{}' > /etc/rackwright/grafana/dashboards/rackwright/old.json")
    machines.inside("ops1", "echo >> /etc/rackwright/grafana/provisioning/datasources/rackwright.yaml")
    assert apply() > 0
    assert apply() == 0
    assert machines.inside("ops1", "docker inspect -f '{{.State.StartedAt}}' grafana") == started
    assert ask("/api/dashboards/uid/rackwright-host")[0] == 200
    files = machines.inside("ops1", "ls /etc/rackwright/grafana/dashboards/rackwright")
    assert "old.json" not in files


def test_a_broken_dashboard_is_refused_before_the_host_is_asked(tmp_path: Path) -> None:
    broken = json.loads((PROJECT / "molecule/grafana/dashboards/own.json").read_text(encoding="utf-8"))
    broken["panels"][0]["targets"][0]["expr"] = "sum(up"
    (tmp_path / "broken.json").write_text(json.dumps(broken), encoding="utf-8")
    with pytest.raises(AssertionError, match="it must be PromQL: unclosed left parenthesis"):
        apply("-e", f"grafana_folder={tmp_path}")
