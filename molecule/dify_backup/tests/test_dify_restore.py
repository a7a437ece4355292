"""Accounts, files and plugins of Dify are lost, and come back of the backup; uploads may be objects.

Its images are doubles.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from command import given
from dify_pages import Browser
from machines import Machines

Sql = Callable[[str, str], str]
HOME = "/var/lib/rackwright-dify"
UPLOAD = f"{HOME}/storage/upload_files/report.txt"
STORES = ("data1/postgresql", "data1/redis", "app1/dify_api", "app1/dify_plugin_daemon")
PROGRAMS = 7
POINT = f"before-loss-{int(time.time())}"


def state(machines: Machines, sql: Sql) -> dict[str, str]:
    """What people would miss, of each of the three kinds."""
    flag = f"find {HOME}/plugins/cwd -path '*/.venv/dify/plugin.json' -printf '%P\\n'"
    return {
        "accounts": sql("dify", "SELECT email FROM accounts ORDER BY email"),
        "release": sql("dify", "SELECT version_num FROM alembic_version"),
        "plugins": sql("dify_plugin", "SELECT identifier FROM plugin_installations ORDER BY 1"),
        "environments": machines.inside("app1", flag),
        "packages": machines.inside(
            "app1", f"cd {HOME}/plugins && find . -type f -not -path './cwd/*' | sort"
        ),
        "upload": machines.inside("app1", f"stat -c '%u:%g %a' {UPLOAD} && cat {UPLOAD}"),
        "folders": machines.inside("app1", f"stat -c '%u %a %n' {HOME}/storage {HOME}/plugins"),
    }


@pytest.fixture(scope="module")
def kept(machines: Machines) -> list[dict[str, Any]]:
    """An uploaded file, written by the api's own account, a backup of everything and a point after it."""
    inside = "/app/api/storage/upload_files"
    machines.inside(
        "app1", f"docker exec dify-api sh -c 'mkdir -p {inside} && echo figures > {inside}/report.txt'"
    )
    done = given("backup", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    point = given("backup", "--json", "--consistent", POINT)
    assert point.returncode == 0, point.stdout + point.stderr
    assert set(json.loads(point.stdout)["stores"]) >= set(STORES)
    return list(json.loads(done.stdout))


def test_databases_storage_and_plugins_are_kept(kept: list[dict[str, Any]]) -> None:
    assert [entry for entry in kept if "failed" in entry] == []
    assert {entry["store"] for entry in kept} >= set(STORES)


def test_what_was_lost_comes_back(
    kept: list[dict[str, Any]],  # noqa: ARG001 - there must be one
    machines: Machines,
    sql: Sql,
    browser: Browser,
    variables: Mapping[str, Any],
) -> None:
    before = state(machines, sql)
    assert all(before.values()), before
    sql("dify", "DELETE FROM accounts")
    sql("dify_plugin", "DROP TABLE plugin_installations")
    machines.inside("app1", f"rm -rf {HOME}/storage/* {HOME}/plugins/*")
    password = str(variables["vault_dify_admin_password"])
    assert browser.log_in("operations@example.com", password) != 200

    refused = given("restore", "--confirm", "another-site")
    assert refused.returncode != 0
    assert sql("dify", "SELECT count(*) FROM accounts") == "0"

    # Not to the newest moment: the deletion is part of that.
    done = given("restore", "--json", "--point", POINT, "--confirm", str(variables["site_name"]))
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["differences"] == []
    assert set(told["streams"]) >= set(STORES[1:])
    healthy = "docker ps --format '{{.Names}}' --filter health=healthy --filter name=dify- | wc -l"
    waiting = time.monotonic() + 120
    while machines.inside("app1", healthy) != str(PROGRAMS) and time.monotonic() < waiting:
        time.sleep(5)
    assert machines.inside("app1", healthy) == str(PROGRAMS)
    assert state(machines, sql) == before
    assert browser.log_in("operations@example.com", password) == 200
    # The programs see what came back, not the folder that was put aside.
    seen = machines.inside("app1", "docker exec dify-api cat /app/api/storage/upload_files/report.txt")
    assert seen == "figures"


def test_the_roles_find_nothing_to_do_afterwards(machines: Machines) -> None:
    status, said = machines.play("playbooks/dify.yml", "app1")
    assert status == 0, said
    assert "changed=0" in said, said


def test_uploads_may_be_in_the_sites_object_store(machines: Machines) -> None:
    bucket = "/var/lib/rackwright-objects/dify"
    machines.inside("data1", f"rm -rf {bucket}/double")
    status, said = machines.play("playbooks/dify.yml", "app1", dify_files="objects")
    assert status == 0, said
    # The api kept one there, and read it again, before it answered.
    assert machines.inside("data1", f"cat {bucket}/double/started") == "started"
    told = machines.inside("app1", "docker inspect dify-api")
    assert "/app/api/storage" not in told
    done = given("backup", "--json", "--store", "data1/rclone")
    assert done.returncode == 0, done.stdout + done.stderr
    status, said = machines.play("playbooks/dify.yml", "app1")
    assert status == 0, said
    assert machines.inside("app1", "docker exec dify-api cat /app/api/storage/upload_files/report.txt") == (
        "figures"
    )
