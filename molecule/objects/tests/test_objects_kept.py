"""Objects are held while others come and go, kept elsewhere, and come back with the rows that name them."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from conftest import Ask, Run, Sql
from machines import PROJECT, SOURCES
from s3 import DATA, S3, delete, get, listing, put

STORE = "data1/rclone"


def restore(*words: str) -> dict[str, Any]:
    """Gives the command, as an operator does."""
    sources = [part for source in SOURCES for part in ("-i", str(source))]
    command = [str(Path(sys.executable).with_name("rackwright")), "restore", *sources, *words, "--json"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


@contextmanager
def at_work(step: Callable[[int], None]) -> Iterator[None]:
    """Does something over and over meanwhile; whatever it raises fails the test."""
    over, trouble = threading.Event(), []

    def work() -> None:
        number = 0
        while not over.is_set():
            try:
                step(number)
            except Exception as error:  # noqa: BLE001 - told below
                trouble.append(error)
                return
            number += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert trouble == []


def test_what_is_there_is_kept_while_others_come_and_go(s3: S3, keeper: Ask, data: Run) -> None:
    steady = {f"steady/{number}": f"steady {number}" for number in range(20)}
    s3(*[put(text, key) for key, text in steady.items()])

    def come_and_go(number: int) -> None:
        # Directories are made and go again with their only object.
        names = [f"passing/{number}/{each}/a" for each in range(20)]
        told = s3(*[put("passing", name) for name in names], *[delete(name) for name in names])
        assert [answer for answer in told if "failed" in answer] == []

    with at_work(come_and_go):
        for _ in range(3):
            (kept,) = keeper("backup", STORE)
            assert "failed" not in kept, kept
    (proof,) = keeper("verify", STORE)
    assert proof["ok"] is True, proof
    assert data(f"ls -A {DATA}") == "uploads", "nothing that was held stays"

    s3(put("changed", "steady/0"), delete("steady/1"), put("later", "later"))
    told = restore(STORE, "--confirm", STORE)
    assert told["streams"][STORE]["changed_since"] == 0
    # What it remembers of a directory, and a second.
    time.sleep(6)
    back = s3(*[get(key) for key in steady])
    assert [answer.get("Body") for answer in back] == list(steady.values())
    assert s3(get("later")) == [{"failed": "NoSuchKey"}]
    assert "failed" not in s3(put("after", "steady/0"))[0], "it may write where the restore was"


def test_at_a_point_every_row_has_its_object(s3: S3, sql: Sql, keeper: Ask) -> None:
    sql("DROP TABLE IF EXISTS papers", "CREATE TABLE papers (key text PRIMARY KEY)")
    # A point follows a backup of the cluster.
    assert [entry for entry in keeper("backup", "data1/postgresql") if "failed" in entry] == []

    def write(number: int) -> None:
        # What a row refers to is written before the row.
        assert "failed" not in s3(put(f"paper {number}", f"papers/{number}"))[0]
        sql(f"INSERT INTO papers VALUES ('papers/{number}')")  # noqa: S608 - a number

    with at_work(write):
        time.sleep(4)
        name = f"p{int(time.time())}"
        made = keeper("point", name)
        time.sleep(2)
    assert STORE in made["stores"]
    written = int(sql("SELECT count(*) FROM papers"))
    s3(*[delete(f"papers/{number}") for number in range(written)])
    told = restore("--point", name, "--confirm", "lab")
    assert told["differences"] == []
    time.sleep(6)
    rows = sql("SELECT key FROM papers").split()
    assert 0 < len(rows) < written
    there = {entry["Key"] for entry in s3(listing("papers/"))[0]["Contents"]}
    assert set(rows) <= there
    assert s3(get(rows[-1]))[0]["Body"] == f"paper {rows[-1].rpartition('/')[2]}"
