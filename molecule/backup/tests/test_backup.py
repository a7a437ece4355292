"""Backups, their proof and restores, of real servers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from conftest import REPOSITORY, Cli
from machines import Machines

Ask = Callable[..., Any]
Sql = Callable[..., str]
FLIP = (
    "import sys; p = sys.argv[1]; b = bytearray(open(p, 'rb').read()); b[len(b) // 2] ^= 1;"
    " open(p, 'r+b').write(b)"
)


def flip(machines: Machines, path: str) -> None:
    """Changes one bit in the middle of a file; done twice, it is what it was."""
    machines.inside("ops1", f'python3 -c "{FLIP}" {path}')


def test_everything_with_state_is_kept(kept: list[dict[str, Any]], machines: Machines, keeper: Ask) -> None:
    assert [entry for entry in kept if "failed" in entry] == []
    assert {(entry["store"], entry["kind"]) for entry in kept} == {
        *((store, kind) for store in ("data1/postgresql", "data2/postgresql") for kind in ("full", "diff")),
        ("data1/redis", "snapshot"),
    }
    assert {entry["store"] for entry in keeper("list")["backups"]} >= {"data1/postgresql", "data1/redis"}
    metrics = machines.inside("ops1", "cat /var/lib/prometheus/node-exporter/rackwright-backup.prom")
    assert 'rackwright_job_ok{action="backup",subject="data1/postgresql"} 1' in metrics


def test_the_command_keeps_all_stores_and_the_sites_inventory(
    machines: Machines, keeper: Ask, cli: Cli
) -> None:
    done = cli("backup", "--json")
    assert done.returncode == 0, done.stderr
    assert {entry["store"] for entry in json.loads(done.stdout)} >= {"data1/postgresql", "data1/redis"}
    assert "site/configuration" in {entry["store"] for entry in keeper("list")["backups"]}
    assert machines.inside("ops1", "find /var/lib/rackwright -maxdepth 1 -name '*.tar'") == ""


def test_what_is_kept_is_encrypted_and_no_key_is_where_the_data_is(machines: Machines) -> None:
    # Compressed or not, a name of every table is in the system catalogue's files.
    # A name of every index is in the system catalogue's files.
    places = f"{REPOSITORY}/pgbackrest {REPOSITORY}/restic"
    assert machines.inside("ops1", f"grep -rlaF -e notes_pkey {places} | wc -l") == "0"
    passphrase = machines.inside("ops1", "sed -n 's/^repo1-cipher-pass=//p' /etc/pgbackrest/pgbackrest.conf")
    password = machines.inside("ops1", "cat /etc/rackwright/backup/restic.password")
    assert len(passphrase) == len(password) == 64
    for secret in (passphrase, password):
        found = machines.inside(
            "data1", "grep -rlF -f - /etc /var/lib/rackwright /root /home || true", data=secret
        )
        assert found == ""
        seen = machines.inside(
            "ops1",
            "cat /proc/[0-9]*/cmdline; journalctl --no-pager -q; cat /var/log/rackwright-backup/*",
        )
        assert secret not in seen


def test_a_host_can_do_nothing_else_with_its_key(machines: Machines) -> None:
    ssh = (
        "runuser -u postgres -- /etc/rackwright/backup/ssh -p 8432 rackwright-backup@"
        + machines.addresses["ops1"]
    )
    for words in (
        "bash",
        "pgbackrest --stanza=data1 expire",
        "pgbackrest --stanza=other archive-push:remote",
    ):
        assert "may not ask this" in machines.inside("data1", f"cd /; {ssh} {words} 2>&1", check=False)
    back = (
        "runuser -u rackwright-backup -- ssh -F /etc/rackwright/backup/ssh_config "
        + machines.addresses["data1"]
    )
    for words in ("id", "restore postgresql", "pgbackrest --stanza=data1 restore:remote"):
        assert "may not be asked here" in machines.inside("ops1", f"cd /; {back} {words} 2>&1", check=False)


def test_the_proof_restores_and_compares(keeper: Ask) -> None:
    found = {entry["store"]: entry for entry in keeper("verify")}
    assert {store: entry["ok"] for store, entry in found.items()} == {
        "data1/postgresql": True,
        "data2/postgresql": True,
        "data1/redis": True,
    }
    assert "rows are what they were" in found["data1/postgresql"]["detail"]
    assert "keys are what they were" in found["data1/redis"]["detail"]


def test_a_damaged_byte_is_named_and_the_backup_before_it_offered(
    machines: Machines, keeper: Ask, kept: list[dict[str, Any]]
) -> None:
    full, diff = (entry["id"] for entry in kept if entry["store"] == "data1/postgresql")
    path = f"{REPOSITORY}/pgbackrest/backup/data1/{diff}/bundle/1"
    flip(machines, path)
    try:
        (found,) = keeper("verify", "data1/postgresql")
    finally:
        flip(machines, path)
    assert found["ok"] is False
    assert f"{diff}/bundle/1" in found["detail"]
    assert f"the newest backup without damage is {full}" in found["hint"]
    (again,) = keeper("verify", "data1/postgresql")
    assert again["ok"] is True


def test_a_damaged_byte_among_the_files_is_found(machines: Machines, keeper: Ask) -> None:
    path = machines.inside("ops1", f"find {REPOSITORY}/restic/data -type f -size +0 | sort | head -1")
    flip(machines, path)
    machines.inside("ops1", f"rm -rf {REPOSITORY}/cache")
    try:
        (found,) = keeper("verify", "data1/redis")
    finally:
        flip(machines, path)
    assert found["ok"] is False
    assert path.rpartition("/")[2][:8] in found["detail"]


def test_a_moment_between_two_commits(sql: Sql, cli: Cli) -> None:
    sql("DROP TABLE IF EXISTS moments", "CREATE TABLE moments (n int)", "INSERT INTO moments VALUES (1)")
    time.sleep(1.1)
    moment = datetime.now(UTC).isoformat()
    time.sleep(1.1)
    sql("INSERT INTO moments VALUES (2)", "SELECT pg_switch_wal()")
    time.sleep(5)
    done = cli("restore", "data1/postgresql", "--time", moment, "--confirm", "data1/postgresql", "--json")
    assert done.returncode == 0, done.stderr
    assert sql("SELECT n FROM moments") == "1"
    assert sql("SHOW archive_mode") == "on"
    assert sql("SELECT count(*) FROM notes") == "2100"


def test_all_stores_go_back_to_one_point(
    sql: Sql, redis: Callable[[str], str], keeper: Ask, cli: Cli
) -> None:
    made = keeper("point", f"p{int(time.time())}")
    assert set(made["stores"]) == {"data1/postgresql", "data1/redis", "data2/postgresql"}
    sql("DELETE FROM notes WHERE n > 10")
    redis("set rackwright:kept 43")
    done = cli("restore", "--point", made["name"], "--confirm", "lab", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["differences"] == []
    assert told["clusters"]["data1"]["compared"] is True
    assert sql("SELECT count(*) FROM notes") == "2100"
    assert redis("get rackwright:kept") == "42"


def test_a_restore_leaves_no_settings_of_its_own(machines: Machines, sql: Sql) -> None:
    held = machines.inside("data1", "cat /var/lib/postgresql/17/main/postgresql.auto.conf")
    assert "recovery_target" not in held
    assert "restore_command" not in held
    assert "pgBackRest" not in held
    assert sql("SELECT count(*) FROM pg_settings WHERE pending_restart") == "0"


def test_what_a_restore_left_behind_can_be_had_back(sql: Sql, cli: Cli) -> None:
    sql("DROP TABLE IF EXISTS turns", "CREATE TABLE turns (n int)", "INSERT INTO turns VALUES (1)")
    time.sleep(1.1)
    first = datetime.now(UTC).isoformat()
    time.sleep(1.1)
    sql("INSERT INTO turns VALUES (2)")
    time.sleep(1.1)
    second = datetime.now(UTC).isoformat()
    time.sleep(1.1)
    sql("INSERT INTO turns VALUES (3)", "SELECT pg_switch_wal()")
    time.sleep(5)
    for moment, there in ((first, "1"), (second, "1\n2")):
        done = cli("restore", "data1/postgresql", "--time", moment, "--confirm", "data1/postgresql")
        assert done.returncode == 0, done.stderr
        assert sql("SELECT n FROM turns ORDER BY n") == there


def test_a_cluster_comes_back_on_another_host_and_has_a_history_of_its_own(
    machines: Machines, keeper: Ask, cli: Cli
) -> None:
    refused = cli("restore", "data1/postgresql", "--onto", "data2", "--confirm", "data1/postgresql")
    assert refused.returncode == 1
    assert "--confirm data2/postgresql" in refused.stderr
    done = cli("restore", "data1/postgresql", "--onto", "data2", "--confirm", "data2/postgresql", "--json")
    assert done.returncode == 0, done.stderr
    ask = "cd / && runuser -u postgres -- psql -XAtq -d ai_platform -c"
    rows = "'SELECT count(*) FROM notes'"
    assert machines.inside("data2", f"{ask} {rows}") == "2100"
    assert machines.inside("data2", f"{ask} 'SHOW archive_mode'") == "on"
    assert machines.inside("ops1", "ls /etc/rackwright/backup/guests") == ""
    machines.inside("data2", "rackwright-store watch")
    (newest,) = keeper("plan", "--to", "latest", "data2/postgresql")
    listed = [entry for entry in keeper("list")["backups"] if entry["store"] == "data2/postgresql"]
    assert newest["set"] == listed[-1]["id"]
    assert listed[-1]["kind"] == "full"


def test_without_the_name_nothing_is_changed(machines: Machines, cli: Cli) -> None:
    before = machines.inside("data1", "systemctl show -P MainPID postgresql@17-main")
    done = cli("restore", "data1/postgresql", "--confirm", "data1")
    assert done.returncode == 1
    assert "--confirm data1/postgresql" in done.stderr
    assert machines.inside("data1", "systemctl show -P MainPID postgresql@17-main") == before


@pytest.mark.parametrize(
    ("file", "line", "told"),
    [
        (
            "/etc/pgbackrest/pgbackrest.conf",
            "s/^repo1-cipher-pass=.*/repo1-cipher-pass=wrong/",
            "does not open with the key",
        ),
        ("/etc/rackwright/backup/restic.password", "s/.*/wrong/", "does not open with the password"),
    ],
)
def test_a_wrong_key_is_refused(machines: Machines, keeper: Ask, file: str, line: str, told: str) -> None:
    machines.inside("ops1", f"cp -p {file} /root/held && sed -i '{line}' {file}")
    try:
        answer = keeper("plan", "--to", "latest")
    finally:
        machines.inside("ops1", f"cp -p /root/held {file} && rm /root/held")
    assert told in answer["failed"]


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"version": "16", "free": 1 << 40, "held": 0}, "the host has 16"),
        ({"version": "17", "free": 1 << 20, "held": 0}, "has room for 1 MB"),
    ],
)
def test_what_does_not_fit_the_host_is_refused(keeper: Ask, facts: dict[str, Any], told: str) -> None:
    given = json.dumps({"data1/postgresql": facts})
    assert told in keeper("plan", "--to", "latest", "data1/postgresql", data=given)["failed"]


def test_a_missing_segment_is_refused(
    machines: Machines, sql: Sql, keeper: Ask, kept: list[dict[str, Any]]
) -> None:
    for _ in range(3):
        sql("SELECT pg_logical_emit_message(true, 'test', 'x')", "SELECT pg_switch_wal()")
    ends = time.monotonic() + 60
    while sql("SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'") != "0":
        assert time.monotonic() < ends
        time.sleep(1)
    found = f"find {REPOSITORY}/pgbackrest/archive/data1 -name '*.zst'"
    needed = f"{found} | grep -v history | sort | tail -2 | head -1"
    segment = machines.inside("ops1", needed)
    machines.inside("ops1", f"mv {segment} /root/held-segment")
    try:
        answer = keeper("plan", "--to", "latest", "data1/postgresql")
    finally:
        machines.inside("ops1", f"mv /root/held-segment {segment}")
    assert "has a hole" in answer["failed"]
    assert "--backup" in answer["hint"]
    assert kept[0]["id"]


def test_an_absent_backup_host_is_an_alarm_and_its_log_is_bounded(
    machines: Machines, sql: Sql, cli: Cli, keeper: Ask
) -> None:
    machines.inside("ops1", "systemctl stop rackwright-backup.service")
    settings, conf = "/etc/rackwright/backup/store.json", "/etc/pgbackrest/pgbackrest.conf"
    machines.inside("data1", f"cp -p {settings} /root/held-settings; cp -p {conf} /root/held-conf")
    machines.inside("data1", f'sed -i \'s/"queue_bytes": [0-9]*/"queue_bytes": 67108864/\' {settings}')
    machines.inside("data1", f"sed -i 's/^archive-push-queue-max=.*/archive-push-queue-max=64MiB/' {conf}")
    try:
        for _ in range(3):
            sql("SELECT pg_logical_emit_message(true, 'test', 'x')", "SELECT pg_switch_wal()")
        machines.inside("data1", "rackwright-store watch", check=False)
        job = json.loads(machines.inside("data1", "cat /var/lib/rackwright/jobs/archive-postgresql.json"))
        assert job["ok"] is False
        assert "does not leave this host" in job["detail"]
        answer = json.loads(cli("health", "--json").stdout)
        told = {e["host"]: e["ok"] for e in answer["services"] if e["service"] == "backup_store"}
        assert told == {"data1": False, "data2": True}
        for _ in range(8):
            sql("SELECT pg_logical_emit_message(true, 'test', 'x')", "SELECT pg_switch_wal()")
        ends = time.monotonic() + 90
        waiting = "ls /var/lib/postgresql/17/main/pg_wal/archive_status | grep -c ready || true"
        while int(machines.inside("data1", waiting)) > 4 and time.monotonic() < ends:
            time.sleep(2)
        assert int(machines.inside("data1", waiting)) <= 4
        machines.inside("data1", "rackwright-store watch", check=False)
        job = json.loads(machines.inside("data1", "cat /var/lib/rackwright/jobs/archive-postgresql.json"))
        assert job["ok"] is False
        assert "was given up" in job["detail"]
    finally:
        machines.inside("ops1", "systemctl start rackwright-backup.service")
        machines.inside("data1", f"cp -p /root/held-settings {settings}; cp -p /root/held-conf {conf}")
    assert sql("SELECT count(*) FROM notes") == "2100"
    # A backup that begins after the hole needs nothing of what was given up.
    (made,) = keeper("backup", "data1/postgresql")
    assert made["kind"] == "diff", made
    machines.inside("data1", "rackwright-store watch")
    job = json.loads(machines.inside("data1", "cat /var/lib/rackwright/jobs/archive-postgresql.json"))
    assert job["ok"] is True, job
    assert keeper("plan", "--to", "latest", "data1/postgresql")[0]["set"] == made["id"]
