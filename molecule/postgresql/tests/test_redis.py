"""Redis, which shares the host and its budget, as its clients and its attackers see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from testinfra.backend.base import CommandResult
from testinfra.host import Host

from rackwright.sizing.host import ServiceSizing

Cli = Callable[..., CommandResult]
ADMIN = "/usr/local/lib/rackwright/redis-cli"


@pytest.fixture
def cli(client: Host, variables: Mapping[str, Any]) -> Cli:
    """Sends one command from app1 over the network."""

    def sent(
        command: str, password: str = "", tls: str = "--tls --cacert /etc/rackwright/tls/ca.pem"
    ) -> CommandResult:
        secret, address = password or variables["vault_redis_app_password"], variables["ansible_host"]
        line = f"timeout 5 redis-cli -e --no-auth-warning --user app {tls} -h {address} {command}"
        return client.run(f"REDISCLI_AUTH=%s {line}", secret)

    return sent


def test_the_app_reads_and_writes_its_own_keys(cli: Cli) -> None:
    assert cli("ping").stdout.strip() == "PONG"
    assert cli("set rackwright:test 1 EX 60").stdout.strip() == "OK"
    assert cli("get rackwright:test").stdout.strip() == "1"


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("set elsewhere 1", "NOPERM"),
        ("flushall", "NOPERM"),
        ("config get requirepass", "NOPERM"),
        ("acl list", "NOPERM"),
        ("shutdown nosave", "NOPERM"),
        ("keys rackwright:*", "NOPERM"),
    ],
)
def test_what_is_not_the_apps_is_refused(cli: Cli, command: str, complaint: str) -> None:
    answer = cli(command)
    assert answer.rc != 0
    assert complaint in answer.stdout + answer.stderr


def test_a_wrong_password_is_refused(cli: Cli) -> None:
    answer = cli("get rackwright:test", "wrong")
    assert answer.rc != 0
    assert "WRONGPASS" in answer.stdout + answer.stderr


def test_nobody_speaks_in_clear(cli: Cli) -> None:
    answer = cli("ping", tls="")
    assert answer.rc != 0
    assert "PONG" not in answer.stdout


def test_memory_is_what_was_sized(data: Host, sized: dict[str, ServiceSizing]) -> None:
    shown = data.run(f"{ADMIN} config get maxmemory").stdout.split()[-1]
    assert int(shown) == int(sized["redis"].settings.parameters["maxmemory"].value) * 1024 * 1024


def test_a_kill_loses_nothing_that_was_a_second_old(cli: Cli, data: Host) -> None:
    assert cli("set rackwright:kept 42 EX 600").stdout.strip() == "OK"
    data.run_expect([0], "sleep 1.5; kill -9 $(systemctl show -P MainPID redis-server)")
    data.run_expect([0], f"for i in $(seq 30); do {ADMIN} ping && exit 0; sleep 1; done; exit 1")
    assert cli("get rackwright:kept").stdout.strip() == "42"


def test_no_password_is_on_the_host_but_the_administrators(
    holders: Callable[..., list[str]], data: Host, variables: Mapping[str, Any]
) -> None:
    secret = variables["vault_redis_app_password"]
    assert holders(secret, "/etc", "/var/log", "/var/lib", "/root", "/home") == []
    password = data.file("/etc/redis/admin.password")
    assert (password.user, password.mode) == ("root", 0o600)
