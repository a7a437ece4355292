"""What is asked of the data host's services, on that host: each as its callers ask it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from prove import ask
from signed import signed

Given = dict[str, Any]
STORE = "/api/v2/tenants/default_tenant/databases/default_database/collections"


def check_chroma(given: Given) -> None:
    """Through its door: a vector is kept and found, and nobody comes in without the key."""
    base = f"https://{given['address']}:8010{STORE}"
    assert ask(base)[0] == 401
    key = {"Authorization": f"Bearer {given['vault_vector_store_api_key']}"}
    made = json.loads(ask(base, {"name": "proof", "get_or_create": True}, key)[1])
    entries = {"ids": ["a", "b"], "embeddings": [[1.0, 0.0], [0.0, 1.0]], "documents": ["one", "other"]}
    assert ask(f"{base}/{made['id']}/upsert", entries, key)[0] in (200, 201)
    status, found = ask(f"{base}/{made['id']}/query", {"query_embeddings": [[0.9, 0.1]], "n_results": 1}, key)
    assert (status, json.loads(found)["ids"]) == (200, [["a"]]), found


def check_rclone(given: Given) -> None:
    """An object is kept, listed, read and removed; its headers are measured."""
    url, secret = f"https://{given['address']}:9000/uploads/proof.txt", given["vault_object_store_secret_key"]
    body = b"kept" * 1000
    status, said = ask(url, body, dict(signed("PUT", url, secret, body)), method="PUT")
    assert status == 200, said
    assert ask(url, None, dict(signed("GET", url, secret))) == (200, body.decode())
    listing = f"https://{given['address']}:9000/uploads?list-type=2"
    assert "<Key>proof.txt</Key>" in ask(listing, None, dict(signed("GET", listing, secret)))[1]
    assert ask(url, None, dict(signed("DELETE", url, secret)), method="DELETE")[0] == 204


def check_mariadb(_given: Given) -> None:
    """Rows are written and sorted beyond memory."""
    said = sql(
        "create or replace table proof (a int primary key, b text) engine=innodb;"
        "insert into proof select seq, repeat(md5(seq), 60) from seq_1_to_3000;"
        "set max_heap_table_size=16384, tmp_memory_table_size=16384, sort_buffer_size=16384;"
        "select count(*) from (select distinct b from proof order by b) x;"
        "create or replace table other (a int) engine=aria; drop table other;"
        "flush ssl; flush logs"
    )
    assert said.split() == ["3000"], said


def sql(statements: str) -> str:
    """What MariaDB answers to root of this host."""
    command = ["mariadb", "--database=app", "--batch", "--skip-column-names", "--execute", statements]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_pgbouncer(given: Given) -> None:
    """Over TLS, by name and password, through the pool to the database behind."""
    place = f"host={given['address']} port=6432 user=ai_platform dbname=ai_platform sslmode=require"
    done = subprocess.run(
        ["psql", f"{place} password={given['vault_postgresql_app_password']}", "-Atc", "select 6 * 7"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.strip() == "42", done.stderr


def check_exporters(given: Given) -> None:
    """Each tells that it reaches its server."""
    wanted = {9104: "mysql_up 1", 9121: "redis_up 1", 9187: "pg_up 1", 9115: "blackbox_exporter_build_info"}
    told = {port: ask(f"https://{given['address']}:{port}/metrics")[1] for port in wanted}
    assert [line for port, line in wanted.items() if line not in told[port]] == []


def check_host_metrics(_given: Given) -> None:
    """It tells of every unit here that it is confined."""
    place = Path("/var/lib/prometheus/node-exporter")
    text = "\n".join(path.read_text("utf-8") for path in place.glob("*.prom"))
    states = re.findall(r"^rackwright_apparmor_confined\{.*\} (\S+)$", text, re.MULTILINE)
    assert states, "told of no unit"
    assert {float(state) for state in states} == {1.0}, text
