"""PostgreSQL as its clients, its operator and its attackers see it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from testinfra.backend.base import CommandResult
from testinfra.host import Host

from rackwright.sizing.host import ServiceSizing

PROJECT = Path(__file__).resolve().parents[3]
Ask = Callable[..., str]
Connect = Callable[..., CommandResult]


def test_show_equals_what_was_sized(ask: Ask, sized: dict[str, ServiceSizing]) -> None:
    values = dict(sized["postgresql"].settings.values)
    query = "SELECT json_object_agg(name, current_setting(name)) FROM pg_settings"
    shown = json.loads(ask(query))
    assert len(values) > 15
    assert {name: shown[name] for name in values} == values


def test_nothing_waits_for_a_restart(ask: Ask) -> None:
    assert ask("SELECT name FROM pg_settings WHERE pending_restart") == ""


def test_the_app_comes_in_by_tls_with_the_certificate_checked(psql: Connect) -> None:
    answer = psql("SELECT current_user, ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    assert answer.rc == 0, answer.stderr
    assert re.fullmatch(r"ai_platform\|t\|TLSv1\.[23]", answer.stdout.strip())


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"password": "wrong"}, "password authentication failed"),
        ({"sslmode": "disable"}, "no encryption"),
        ({"dbname": "postgres"}, "no pg_hba.conf entry"),
        ({"dbname": "template1"}, "no pg_hba.conf entry"),
        ({"user": "postgres"}, "no pg_hba.conf entry"),
    ],
)
def test_everybody_else_is_refused(psql: Connect, options: dict[str, str], complaint: str) -> None:
    answer = psql(**options)
    assert answer.rc != 0
    assert re.search(complaint, answer.stderr)


def test_it_listens_on_the_zones_address_alone(data: Host, variables: Mapping[str, Any]) -> None:
    listening = [socket for socket in data.socket.get_listening_sockets() if socket.endswith(":5432")]
    assert listening == [f"tcp://{variables['ansible_host']}:5432"]


def test_pages_have_checksums_and_passwords_are_scram(ask: Ask) -> None:
    assert ask("SHOW data_checksums") == "on"
    assert (
        ask("SELECT left(rolpassword, 14) FROM pg_authid WHERE rolname = 'ai_platform'") == "SCRAM-SHA-256$"
    )
    assert "pg_stat_statements" in ask("SHOW shared_preload_libraries")


def test_the_public_may_not_even_connect(ask: Ask) -> None:
    assert ask("SELECT has_database_privilege('public', 'ai_platform', 'CONNECT, TEMPORARY')") == "f"


def test_a_slow_statement_is_logged(ask: Ask, data: Host) -> None:
    ask("SELECT pg_sleep(1.1), 'a slow one'")
    assert "a slow one" in data.file("/var/log/postgresql/postgresql-17-main.log").content_string


def test_no_password_is_on_the_host(
    holders: Callable[..., list[str]], data: Host, variables: Mapping[str, Any]
) -> None:
    secret = variables["vault_postgresql_app_password"]
    assert holders(secret, "/etc", "/var/log", "/var/lib", "/root", "/home") == []
    assert "SCRAM-SHA-256$" not in data.run("cat /var/log/postgresql/*.log").stdout


@pytest.fixture
def local_settings(data: Host) -> Iterator[str]:
    """A file of the operator's own."""
    path = "/etc/postgresql/17/main/conf.d/90-local.conf"
    data.run_expect([0], f"echo \"work_mem = '3MB'\" > {path} && chown postgres: {path}")
    yield path
    data.run_expect([0], f"rm {path} && systemctl reload postgresql@17-main")


def test_the_operators_own_file_wins_and_survives_a_run(local_settings: str, data: Host, ask: Ask) -> None:
    changed = apply()
    assert changed == 1, "the reload alone"
    assert ask("SHOW work_mem") == "3MB"
    assert data.file(local_settings).exists
    assert apply() == 0


def test_a_new_password_changes_one_thing_and_interrupts_nothing(
    tmp_path: Path, holders: Callable[..., list[str]], psql: Connect, ask: Ask
) -> None:
    started = ask("SELECT pg_postmaster_start_time()")
    fresh = "a-fresh-password-of-this-test-only"
    values = tmp_path / "values.json"
    values.write_text(json.dumps({"vault_postgresql_app_password": fresh}))
    assert apply("-e", f"@{values}") == 1
    assert psql(password=fresh).rc == 0
    assert psql().rc != 0
    assert apply() == 1
    assert psql().rc == 0
    assert ask("SELECT pg_postmaster_start_time()") == started
    assert holders(fresh, "/var/log", "/etc", "/var/lib/postgresql") == []


def test_an_impossible_setting_is_refused_and_the_server_goes_on(tmp_path: Path, ask: Ask) -> None:
    values = tmp_path / "values.json"
    values.write_text(json.dumps({"postgresql_overrides": {"work_mem": "plenty"}}))
    with pytest.raises(AssertionError, match="no file was changed"):
        apply("-e", f"@{values}")
    assert ask("SHOW work_mem") != "plenty"
    assert apply() == 0


def test_a_killed_server_comes_back(data: Host, ask: Ask) -> None:
    before = ask("SELECT pg_postmaster_start_time()")
    data.run_expect([0], "kill -9 $(head -1 /var/lib/postgresql/17/main/postmaster.pid)")
    until = time.monotonic() + 60
    while time.monotonic() < until:
        time.sleep(1)
        if data.run("pg_isready -q").rc == 0:
            break
    assert ask("SELECT pg_postmaster_start_time()") != before


def apply(*options: str) -> int:
    """Runs PostgreSQL's play and returns how much it changed."""
    sources = os.environ["RACKWRIGHT_INVENTORY"].split(":")
    command = ["ansible-playbook", "playbooks/data.yml", "--tags", "postgresql"]
    command += [part for source in sources for part in ("-i", source)] + list(options)
    environment = os.environ | {"ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")}
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return sum(map(int, re.findall(r"changed=(\d+)", done.stdout)))
