"""Dify as people, an attacker and its programs see it. Its images are doubles; stores and edge are real."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from dify_pages import Browser
from machines import PROJECT, Machines

Sql = Callable[[str, str], str]
CONTAINERS = ("api", "worker", "beat", "web", "plugin-daemon", "sandbox", "ssrf-proxy")
PROVIDER = (
    "/console/api/workspaces/current/model-providers/double/openai_api_compatible/openai_api_compatible"
)


def test_the_database_was_migrated_by_a_step_of_its_own(sql: Sql, machines: Machines) -> None:
    assert sql("dify", "SELECT version_num FROM alembic_version") == "1.17.0"
    assert machines.inside("app1", "cat /var/lib/rackwright/jobs-done/dify-migration").startswith("sha256:")
    # Neither its container nor its secrets are left.
    assert "dify-migration" not in machines.inside("app1", "docker ps --all --format '{{.Names}}'")
    assert machines.inside("app1", "ls /etc/rackwright/containers").split().count("dify-migration") == 0


def test_the_first_account_is_made_and_the_setup_closed(
    browser: Browser, variables: Mapping[str, Any]
) -> None:
    status, said = browser.ask("GET", "/console/api/setup")
    assert (status, said["step"]) == (200, "finished")
    init = {"password": str(variables["vault_dify_init_password"])}
    assert browser.ask("POST", "/console/api/init", init)[0] == 403
    mine = {"email": "attacker@example.com", "name": "a", "password": "Attacker-password-1"}
    assert browser.ask("POST", "/console/api/setup", mine)[0] == 403
    assert browser.log_in("operations@example.com", "not-the-password-1") == 401
    assert browser.log_in("operations@example.com", str(variables["vault_dify_admin_password"])) == 200


def test_people_find_the_sites_model_ready(browser: Browser, variables: Mapping[str, Any]) -> None:
    model = str(variables["llama_cpp_model"]["name"])
    assert browser.log_in("operations@example.com", str(variables["vault_dify_admin_password"])) == 200
    status, found = browser.ask("GET", f"{PROVIDER}/models")
    assert status == 200
    assert model in [entry["model"] for entry in found["data"]]
    _, about = browser.ask("GET", f"{PROVIDER}/models/credentials?model={model}&model_type=llm")
    # By TLS, through the route; the double asked it for its models before it kept this.
    assert about["credentials"]["endpoint_url"] == "https://10.64.20.11:8443/v1"
    assert str(variables["vault_model_route_api_key"]) not in json.dumps(about)


def test_a_plugin_was_installed_with_no_internet(sql: Sql, machines: Machines) -> None:
    assert sql("dify_plugin", "SELECT identifier FROM plugin_installations").startswith(
        "double/openai_api_compatible:0.0.1@"
    )
    flag = "find /var/lib/rackwright-dify/plugins/cwd -path '*/.venv/dify/plugin.json'"
    assert machines.inside("app1", flag).count("plugin.json") == 1


def test_the_edge_serves_its_name_by_tls_and_each_path_its_program(browser: Browser) -> None:
    assert browser.ask("GET", "/") == (200, "<!doctype html><title>Dify (double)</title>")
    assert browser.ask("GET", "/health")[1]["status"] == "ok"
    status, hook = browser.ask("GET", "/e/abc")
    assert (status, hook) == (200, {"hook": "abc", "url": f"https://{browser.name}/e/abc"})
    assert browser.ask("GET", "/console/api/workspaces/current/plugin/list")[0] == 401


def test_no_secret_of_the_release_is_in_any_container(machines: Machines) -> None:
    facts = yaml.safe_load((Path(PROJECT) / "tests/data/dify/release.yml").read_text(encoding="utf-8"))
    names = " ".join(f"dify-{name}" for name in CONTAINERS)
    for about in json.loads(machines.inside("app1", f"docker inspect {names}")):
        told = [line.partition("=") for line in about["Config"]["Env"]]
        for name, _, value in told:
            if name in facts["published"]:
                assert facts["published"][name] not in value, name
        assert about["Config"]["Labels"]["rackwright.image"] == "double"
        assert about["HostConfig"]["CapDrop"] == ["ALL"]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        # Named by the site, by the proxy.
        ("https://10.64.20.11:8443/health", "reached 200"),
        # The databases, by the proxy: it refuses. Without it: there is no way.
        ("https://10.64.30.11:6379/", "failed <urlopen error Tunnel connection failed: 403"),
        ("http://10.64.30.11:5432/", "refused 403"),
        ("10.64.30.11:5432", "failed"),
        ("10.64.20.11:8443", "failed"),
        ("1.1.1.1:443", "failed"),
    ],
)
def test_the_sandbox_reaches_what_is_named_and_nothing_else(
    machines: Machines, target: str, said: str
) -> None:
    script = (
        "import json, os, urllib.request as r\n"
        "ask = r.Request('http://dify-sandbox:8194/v1/sandbox/run',"
        " json.dumps({'code': os.environ['T']}).encode(),"
        " {'X-Api-Key': os.environ['CODE_EXECUTION_API_KEY'], 'Content-Type': 'application/json'})\n"
        "print(json.loads(r.urlopen(ask, timeout=30).read())['data']['stdout'])\n"
    )
    answer = machines.inside("app1", f"docker exec -i -e T={target} dify-api python3 -", data=script)
    assert answer.startswith(said)


def test_each_program_sees_its_own_database_and_keys_alone(machines: Machines) -> None:
    other = (
        "import os, psycopg2, redis\n"
        "e = os.environ\n"
        "try:\n"
        "    psycopg2.connect(host=e['DB_HOST'], user=e['DB_USERNAME'], dbname='dify',"
        " password=e['DB_PASSWORD'])\n"
        "    print('let in')\n"
        "except psycopg2.OperationalError as error:\n"
        "    print('no pg_hba.conf entry' in str(error))\n"
        "r = redis.Redis(host=e['REDIS_HOST'], username=e['REDIS_USERNAME'], password=e['REDIS_PASSWORD'],"
        " ssl=True, ssl_ca_certs=e['REDIS_SSL_CA_CERTS'])\n"
        "try:\n"
        "    r.get('dify:double:api')\n"
        "    print('read')\n"
        "except redis.exceptions.NoPermissionError:\n"
        "    print('refused')\n"
    )
    said = machines.inside("app1", "docker exec -i dify-plugin-daemon python3 -", data=other)
    assert said.split("\n") == ["True", "refused"]


def test_its_programs_are_reached_by_the_front_alone(machines: Machines) -> None:
    for port in (5001, 3000, 5002, 8445):
        knock = (
            f"timeout 3 bash -c 'exec 3<>/dev/tcp/10.64.20.11/{port}' 2>/dev/null && echo open || echo closed"
        )
        assert machines.inside("data1", knock) == "closed"
        assert machines.inside("edge1", knock) == ("open" if port == 8445 else "closed")


def test_what_a_backup_holds_is_there(machines: Machines) -> None:
    listing = machines.inside(
        "app1", "stat -c '%u %a %n' /var/lib/rackwright-dify/storage /var/lib/rackwright-dify/plugins"
    )
    assert listing.splitlines() == [
        "1001 750 /var/lib/rackwright-dify/storage",
        "0 700 /var/lib/rackwright-dify/plugins",
    ]


def test_the_worker_gets_what_the_scheduler_puts_into_the_queue(machines: Machines) -> None:
    read = (
        "import sys; sys.path.insert(0, '/usr/lib/dify-doubles')\n"
        "from stores import broker, key\n"
        "print(broker().get(key('worked')) is not None)\n"
    )
    assert machines.inside("app1", "docker exec -i dify-worker python3 -", data=read) == "True"
