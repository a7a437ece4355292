"""MariaDB as its callers meet it, killed, kept, proved and brought back; the real server."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from conftest import CA, Cli, Client, Root
from machines import Machines

Ask = Callable[..., Any]
ROWS = 2000
WRONG = "no-password-of-this-site"
REPOSITORY = "/var/lib/rackwright/backup"


def health_of(cli: Cli) -> dict[str, str]:
    """Returns what the site's health says of each server."""
    services = json.loads(cli("health", "--json").stdout)["services"]
    return {entry["host"]: entry["detail"] for entry in services if entry["service"] == "mariadb"}


@pytest.fixture(scope="module", autouse=True)
def rows(client: Client) -> None:
    """Something to keep, made by the program whose database it is."""
    said = client(
        "USE app; DROP TABLE IF EXISTS notes;"
        "CREATE TABLE notes (n INT PRIMARY KEY, body VARCHAR(200)) ENGINE=InnoDB;"
        "INSERT INTO notes SELECT seq, REPEAT(MD5(seq), 4) FROM seq_1_to_2000;"
    )
    assert said == ""


def test_it_is_sized_and_secure_as_it_was_told(root: Root, machines: Machines) -> None:
    told = dict(
        line.split("\t")
        for line in root(
            "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('innodb_buffer_pool_size', 'max_connections',"
            " 'require_secure_transport', 'local_infile', 'innodb_flush_log_at_trx_commit', 'bind_address')"
        ).splitlines()
    )
    assert told["require_secure_transport"] == "ON"
    assert told["local_infile"] == "OFF"
    assert told["innodb_flush_log_at_trx_commit"] == "1"
    assert told["bind_address"] == machines.addresses["data1"]
    assert int(told["innodb_buffer_pool_size"]) >= 48 << 20
    assert root("SELECT COUNT(*) FROM mysql.user WHERE User = ''") == "0"
    assert "test" not in root("SHOW DATABASES").split()
    assert (
        root("SELECT DISTINCT Host FROM mysql.user WHERE User IN ('root', 'mysql', 'prometheus')")
        == "localhost"
    )


def test_the_account_of_its_health_lets_nobody_in(machines: Machines) -> None:
    ask = f"mariadb --no-defaults -h {machines.addresses['data1']} -u health -NBe 'SELECT 1' 2>&1"
    assert "ERROR" in machines.inside("data1", ask, check=False)


def test_callers_come_over_tls_with_a_password_and_from_their_address_alone(
    client: Client, machines: Machines
) -> None:
    assert client("SELECT COUNT(*) FROM app.notes") == str(ROWS)
    assert "TLSv1.3" in client("SHOW STATUS LIKE 'Ssl_version'")
    assert "Access denied" in client("SELECT 1", password=WRONG)
    assert "Access denied" in client("SELECT 1", user="root")
    clear = client("SELECT 1", "--skip-ssl")
    assert clear.startswith("ERROR"), clear
    assert "secure transport" in clear or "Access denied" in clear
    # A host that is no caller does not even reach the port; the server's certificate is the address's.
    port = (machines.addresses["data1"], 3306)
    found = machines.probe(["app1", "ops1"], [port])
    assert found["app1"][port] == "open"
    assert found["ops1"][port] != "open"
    assert "ERROR" in client("SELECT 1", f"--ssl-ca={CA}", "--ssl-verify-server-cert", "--host=data1.invalid")


def test_users_do_in_their_databases_what_they_may_and_nothing_elsewhere(client: Client, root: Root) -> None:
    root("CREATE TABLE IF NOT EXISTS shop_orders.orders (n INT PRIMARY KEY); DELETE FROM shop_orders.orders")
    assert client("INSERT INTO shop_orders.orders VALUES (1)", user="clerk") == ""
    for sql in (
        "DROP TABLE shop_orders.orders",
        "CREATE TABLE app.mine (n INT)",
        "DELETE FROM app.notes",
        "SELECT User FROM mysql.user",
        "SELECT LOAD_FILE('/etc/passwd') INTO OUTFILE '/tmp/x'",
        "CREATE USER other@'%' IDENTIFIED BY 'x'",
        "SET GLOBAL max_connections = 1",
    ):
        said = client(sql, user="clerk")
        assert "denied" in said, f"{sql}: {said}"
    assert client("SELECT COUNT(*) FROM app.notes", user="clerk") == str(ROWS)
    # The _ of its name stands for itself, and not for any letter.
    root("CREATE DATABASE IF NOT EXISTS shopXorders")
    try:
        assert "denied" in client("CREATE TABLE shopXorders.t (n INT)", user="clerk")
    finally:
        root("DROP DATABASE shopXorders")


def test_nobodys_password_is_on_the_host(machines: Machines, variables: Mapping[str, Any]) -> None:
    secret = str(variables["vault_mariadb_app_password"])
    found = machines.inside(
        "data1", "grep -rlaF -f - /etc /var/log /var/lib/mysql /var/lib/rackwright || true", data=secret
    )
    assert found == ""
    assert secret not in machines.inside("data1", "cat /proc/[0-9]*/cmdline; journalctl --no-pager -q")


def test_what_was_acknowledged_outlives_a_kill(client: Client, machines: Machines) -> None:
    assert client("USE app; CREATE OR REPLACE TABLE acknowledged (n INT PRIMARY KEY)") == ""
    last = 0
    for number in range(1, 41):
        assert client(f"INSERT INTO app.acknowledged VALUES ({number})") == ""  # noqa: S608 - a number
        last = number
        if number == 20:
            machines.inside("data1", "systemctl kill --kill-whom=main -s KILL mariadb.service")
            answers = "mariadb -NBe 'select 1' 2>/dev/null"
            machines.inside("data1", f"for _ in $(seq 300); do {answers} && exit; sleep 0.2; done; exit 1")
    assert client("SELECT COUNT(*), MAX(n) FROM app.acknowledged") == f"{last}\t{last}"


def test_it_is_measured_and_its_health_is_told(metrics: Ask, reached: Ask, cli: Cli) -> None:
    page = metrics("data1", 9104)
    for line in (
        "mysql_up 1",
        "mysql_global_status_threads_connected ",
        "mysql_global_variables_max_connections ",
    ):
        assert line in page
    assert 'mysql_exporter_collector_success{collector="collect.global_status"} 1' in page
    assert health_of(cli) == {"data1": "answers SQL", "data2": "answers SQL"}
    assert reached("mariadb") == {"data1:3306": "1", "data2:3306": "1"}


def test_a_slow_statement_is_logged_and_its_log_is_turned(root: Root, machines: Machines) -> None:
    root("SELECT SLEEP(1.3)")
    place = "/var/log/mysql/mariadb-slow.log"
    assert "SLEEP(1.3)" in machines.inside("data1", f"cat {place}")
    machines.inside("data1", "logrotate --force /etc/logrotate.d/mariadb")
    root("SELECT SLEEP(1.2)")
    assert "SLEEP(1.2)" in machines.inside("data1", f"cat {place}")


def test_it_is_kept_and_proved(keeper: Ask, machines: Machines) -> None:
    (made,) = keeper("backup", "data1/mariadb")
    assert "failed" not in made, made
    (found,) = keeper("verify", "data1/mariadb")
    assert found["ok"], found
    assert "rows are what they were" in found["detail"]
    assert machines.inside("data1", "ls /var/lib/rackwright/backup-staging") == ""
    # Of what is kept nothing can be read without the key.
    assert machines.inside("ops1", f"grep -rlaF -e notes.ibd {REPOSITORY}/restic | wc -l") == "0"


def test_a_backup_comes_back_and_is_what_it_was(client: Client, keeper: Ask, cli: Cli) -> None:
    (made,) = keeper("backup", "data1/mariadb")
    assert "failed" not in made, made
    before = client("USE app; CHECKSUM TABLE notes, acknowledged; SELECT COUNT(*) FROM notes")
    client("USE app; DROP TABLE notes; DELETE FROM acknowledged")
    refused = cli("restore", "data1/mariadb")
    assert refused.returncode != 0
    assert "--confirm data1/mariadb" in refused.stdout + refused.stderr
    assert "exist" in client("SELECT COUNT(*) FROM app.notes")
    done = cli("restore", "data1/mariadb", "--json", "--confirm", "data1/mariadb")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)["streams"]["data1/mariadb"]
    assert told["rows"] == told["rows_in_backup"] >= ROWS
    assert client("USE app; CHECKSUM TABLE notes, acknowledged; SELECT COUNT(*) FROM notes") == before


def test_it_is_kept_as_often_as_the_site_says(
    client: Client, keeper: Ask, cli: Cli, machines: Machines, metrics: Ask
) -> None:
    """Cron runs what is to run each hour, of that store alone, and it comes back."""
    page = metrics("ops1", 9100)
    for subject, seconds in (("data1/mariadb", 9000), ("data2/mariadb", 50400), ("data2/redis", 93600)):
        told = f'rackwright_job_due_seconds{{action="backup",subject="{subject}"}}'
        assert re.search(rf"^{re.escape(told)} (\S+)$", page, re.MULTILINE), subject
        assert float(page.split(told)[1].split()[0]) == seconds

    def made() -> dict[str, float]:
        return {entry["store"]: entry["time"] for entry in keeper("list")["backups"]}

    assert client("USE app; CREATE OR REPLACE TABLE often (n INT); INSERT INTO often VALUES (1)") == ""
    before = made()
    # The host's own line, each minute.
    line = "grep -- '--every 60 ' /etc/cron.d/rackwright-backup | sed -E 's/^([^ ]+ ){5}/* * * * * /'"
    path = "grep ^PATH= /etc/cron.d/rackwright-backup"
    machines.inside("ops1", f"{{ {path}; {line}; }} > /etc/cron.d/each-minute")
    try:
        ends = time.monotonic() + 180
        while made().get("data1/mariadb") == before.get("data1/mariadb"):
            assert time.monotonic() < ends, "cron has run nothing"
            time.sleep(5)
    finally:
        machines.inside("ops1", "rm /etc/cron.d/each-minute")
    now = made()
    assert {name for name in now if now[name] != before.get(name)} == {"data1/mariadb"}
    assert client("INSERT INTO app.often VALUES (2)") == ""
    then = datetime.fromtimestamp(now["data1/mariadb"] + 1, UTC).isoformat()
    done = cli("restore", "data1/mariadb", "--time", then, "--confirm", "data1/mariadb")
    assert done.returncode == 0, done.stdout + done.stderr
    assert client("SELECT MAX(n) FROM app.often") == "1"


def test_it_comes_back_on_another_host(client: Client, cli: Cli) -> None:
    assert "exist" in client("SELECT COUNT(*) FROM app.notes", host="data2")
    done = cli("restore", "data1/mariadb", "--json", "--onto", "data2", "--confirm", "data2/mariadb")
    assert done.returncode == 0, done.stdout + done.stderr
    assert client("SELECT COUNT(*) FROM app.notes", host="data2") == str(ROWS)
    assert client("SELECT COUNT(*) FROM app.notes") == str(ROWS)
    assert health_of(cli) == {"data1": "answers SQL", "data2": "answers SQL"}


def test_a_damaged_copy_changes_nothing(machines: Machines, client: Client) -> None:
    """What travels is compared before the running server is touched."""
    script = (
        "rackwright-store send mariadb 2>/dev/null > /var/tmp/copy.tar;"
        " python3 -c \"import sys; p='/var/tmp/copy.tar'; b=bytearray(open(p,'rb').read());"
        " b[len(b)//2]^=1; open(p,'wb').write(b)\";"
        " systemctl show -P ActiveEnterTimestamp mariadb;"
        " rackwright-store receive mariadb < /var/tmp/copy.tar 2>&1; echo status $?;"
        " systemctl show -P ActiveEnterTimestamp mariadb; rm /var/tmp/copy.tar"
    )
    lines = machines.inside("data2", script).splitlines()
    assert "are not what the backup's manifest says" in lines[1]
    assert lines[2] == "status 3"
    assert lines[0] == lines[3]
    assert client("SELECT COUNT(*) FROM app.notes", host="data2") == str(ROWS)


def test_the_role_finds_nothing_to_do_afterwards(machines: Machines) -> None:
    status, said = machines.play("playbooks/mariadb.yml", "data1,data2")
    assert status == 0, said
    assert set(re.findall(r"changed=(\d+)", said)) == {"0"}, said


def test_a_new_password_is_taken_in_by_the_play_alone(
    machines: Machines, client: Client, root: Root, variables: Mapping[str, Any]
) -> None:
    fresh, started = "another-long-random-value", "SHOW GLOBAL STATUS LIKE 'Uptime'"
    before = int(root(started).split()[1])
    status, said = machines.play("playbooks/mariadb.yml", "data1", vault_mariadb_app_password=fresh)
    assert status == 0, said
    assert client("SELECT 1", password=fresh) == "1"
    assert "Access denied" in client("SELECT 1", password=str(variables["vault_mariadb_app_password"]))
    status, said = machines.play("playbooks/mariadb.yml", "data1")
    assert status == 0, said
    assert client("SELECT 1") == "1"
    assert int(root(started).split()[1]) >= before
