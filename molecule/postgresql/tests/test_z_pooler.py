"""PgBouncer as the app and an attacker see it. The site gets it here, as by its operator."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from test_postgresql import Ask, Connect
from testinfra.host import Host

PROJECT = Path(__file__).resolve().parents[3]


def apply(*playbooks: str) -> int:
    """Applies parts of the site with a pooler, and returns how much they changed."""
    changed = 0
    for playbook in playbooks:
        command = ["ansible-playbook", f"playbooks/{playbook}.yml", "-e", "connection_pooler=pgbouncer"]
        sources = os.environ["RACKWRIGHT_INVENTORY"].split(":")
        command += [part for source in sources for part in ("-i", source)] + ["--limit", "data1,app1"]
        environment = os.environ | {"ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")}
        done = subprocess.run(
            command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        changed += sum(map(int, re.findall(r"changed=(\d+)", done.stdout)))
    return changed


@pytest.fixture(scope="module")
def pooled() -> None:
    """The site has a pooler."""
    apply("base", "data")


@pytest.mark.usefixtures("pooled")
class TestPooler:
    """A site with a pooler."""

    def test_a_second_run_changes_nothing(self) -> None:
        assert apply("data") == 0

    def test_the_app_comes_in_by_tls_with_its_own_password(self, psql: Connect) -> None:
        answer = psql("SELECT current_user", port="6432")
        assert answer.rc == 0, answer.stderr
        assert answer.stdout.strip() == "ai_platform"

    @pytest.mark.parametrize(
        ("options", "complaint"),
        [
            ({"password": "wrong"}, "SASL authentication failed|password authentication failed"),
            ({"sslmode": "disable"}, "SSL required"),
            ({"dbname": "postgres"}, "SASL authentication failed|no such database"),
            ({"user": "postgres"}, "failed|no such user"),
            ({"user": "pgbouncer"}, "failed|no such user"),
            ({"dbname": "pgbouncer"}, "not allowed|no such"),
            ({"dbname": "rackwright_auth"}, "no pg_hba.conf entry"),
        ],
    )
    def test_everybody_else_is_refused(self, psql: Connect, options: dict[str, str], complaint: str) -> None:
        answer = psql(port="6432", **options)
        assert answer.rc != 0
        assert re.search(complaint, answer.stderr), answer.stderr

    def test_many_clients_share_few_connections(
        self, client: Host, data: Host, ask: Ask, variables: Mapping[str, Any]
    ) -> None:
        limit = int(ask("SHOW max_connections"))
        secret = variables["vault_postgresql_app_password"]
        given = (
            f"host={variables['ansible_host']} port=6432 dbname=ai_platform user=ai_platform sslmode=require"
        )
        count = limit + 10
        script = f"for i in $(seq {count}); do psql -XAtc 'select 1' '{given}' & done; wait"
        answer = client.run("PGPASSWORD=%s bash -c %s", secret, script)
        assert answer.stdout.split().count("1") == count, answer.stderr[-500:]
        assert data.service("pgbouncer").is_running

    def test_no_password_is_in_its_files(
        self, holders: Callable[..., list[str]], data: Host, variables: Mapping[str, Any]
    ) -> None:
        assert holders(variables["vault_postgresql_app_password"], "/etc", "/var/log", "/run/systemd") == []
        assert "SCRAM-SHA-256" not in data.file("/etc/pgbouncer/pgbouncer.ini").content_string
