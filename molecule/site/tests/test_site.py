"""The whole site, as its operator and its users meet it."""

import json
import subprocess
import sys
from pathlib import Path

import yaml
from ansible.constants import DEFAULT_VAULT_ID_MATCH
from ansible.parsing.vault import VaultLib, VaultSecret
from machines import PROJECT, SOURCES, Machines

from rackwright.catalogue.plan import Machine, host_plan
from rackwright.catalogue.probes import probe_matrix
from rackwright.sizing.postgresql import size_postgresql

# Ports that nobody declared; nothing may come through on them.
UNDECLARED = (8000, 9999)


def rackwright(*arguments: str) -> dict[str, object]:
    """Runs a command of the CLI and returns its JSON."""
    sources = [part for source in SOURCES for part in ("-i", str(source))]
    command = [str(Path(sys.executable).with_name("rackwright")), *arguments, *sources, "--json"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def secrets() -> dict[str, str]:
    """The site's secrets by name, decrypted."""
    password = subprocess.run([PROJECT / "tools/vault-password"], capture_output=True, check=True).stdout
    vault = VaultLib([(DEFAULT_VAULT_ID_MATCH, VaultSecret(password.strip()))])
    text = (PROJECT / "inventories/lab/group_vars/all/vault.yml").read_text()
    return dict(yaml.safe_load(vault.decrypt(text)))


def test_every_service_of_the_catalogue_is_well(machines: Machines) -> None:
    answer = rackwright("health")
    assert [entry for entry in answer["services"] if not entry["ok"]] == []
    asked = {(entry["host"], entry["service"]) for entry in answer["services"]}
    placed = {(name, service) for name in machines.site.hosts for service in machines.site.services_of(name)}
    assert asked == placed


def test_smoke_tests_pass() -> None:
    answer = rackwright("smoke")
    assert [step for step in answer["steps"] if not step["ok"]] == []
    assert {step["name"] for step in answer["steps"]} == {
        "redirect",
        "certificate",
        "unauthorised",
        "answer",
        "denied",
        "rate_limit",
        "upload",
        "query",
        "removal",
        "workflow",
        "recorded_turn",
        "audited",
        "masked",
    }


def test_real_services_answer_only_whom_the_catalogue_allows(machines: Machines) -> None:
    expected = probe_matrix(machines.site, UNDECLARED)
    ports = sorted({port for _source, _dest, port in expected})
    targets = [(host.address, port) for host in machines.site.hosts.values() for port in ports]
    answers = machines.probe(machines.containers, targets)
    running = {
        (host.name, port.port)
        for host in machines.site.hosts.values()
        for service in machines.site.services_of(host.name).values()
        for port in service.ports.values()
    }
    wrong = {
        (source, dest, port): answers[source][machines.addresses[dest], port]
        for (source, dest, port), allowed in expected.items()
        if (answers[source][machines.addresses[dest], port] == "open")
        != (allowed and (dest, port) in running)
    }
    assert wrong == {}


def test_postgresql_runs_with_the_numbers_of_the_sizing_function(machines: Machines) -> None:
    site = machines.site
    plan = host_plan(site, "data1", Machine(memory_mb=2048, cpus=2))
    budget = plan["budget"]["services"]["postgresql"]
    wanted = size_postgresql(budget["memory_mb"], budget["cpus"]).values()
    query = "SELECT json_object_agg(name, current_setting(name)) FROM pg_settings"
    live = json.loads(machines.inside("data1", f'runuser -u postgres -- psql -XAtqc "{query}"'))
    assert {name: live[name] for name in wanted} == wanted


def test_no_secret_is_in_a_process_list_or_a_log(machines: Machines) -> None:
    values = secrets()
    assert len(values) > 3
    for host in machines.site.hosts:
        seen = machines.inside(
            host,
            "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n';"
            " journalctl --no-pager -q 2>/dev/null;"
            " find /var/log -type f -exec cat {} + 2>/dev/null | tr -d '\\0';"
            " docker ps -aq 2>/dev/null | xargs -r docker inspect 2>/dev/null",
        )
        assert [name for name, value in values.items() if value in seen] == []


def test_no_secret_is_in_the_logs_of_runs() -> None:
    values = secrets()
    for log in (PROJECT / ".runs").rglob("*"):
        if log.is_file():
            text = log.read_text(errors="replace")
            assert [name for name, value in values.items() if value in text] == []
