"""postgresql_objects' record: what anybody does to a real cluster by hand is seen by the next run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from ansible.module_utils.rackwright import verified
from ansible.module_utils.rackwright.postgresql_look import answers

from rackwright.bench.clusters import Cluster, both_clusters

Value: TypeAlias = Any
DIGEST = "b6" * 32
PASSWORD = "correct-horse-battery-staple"
OBJECTS = {
    "roles": [{"name": "app", "password": PASSWORD, "connection_limit": 20, "member_of": []}],
    "databases": [{"name": "ai_platform", "owner": "postgres", "users": ["app"], "extensions": []}],
}  # fmt: skip


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with both_clusters(512, 1, Path("/tmp")) as (_, tuned):  # noqa: S108 - a socket's path must be short
        yield tuned


@pytest.fixture
def converge(
    cluster: Cluster, tmp_path: Path, run_module: Value, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], dict[str, Value]]:
    """Run the module as the control node does that wants a record."""
    monkeypatch.setattr(verified, "directory", lambda: tmp_path / "state")
    monkeypatch.setattr(verified, "SETTLED", -1.0)
    monkeypatch.setattr(sys, "argv", ["run.py", DIGEST])
    data = str(cluster.directory / "data")

    def run() -> dict[str, Value]:
        places = {"data_directory": data, "configuration_directory": data, "unit": "postgresql@none.service"}
        answer: dict[str, Value] = run_module("postgresql_objects", OBJECTS | places)
        assert not answer["failed"], answer
        return answer

    return run


def holds(tmp_path: Path) -> bool:
    return DIGEST in verified.verified(tmp_path / "state")


@pytest.mark.parametrize(
    ("database", "sql"),
    [
        ("postgres", "ALTER ROLE app CONNECTION LIMIT 3"),
        ("postgres", "ALTER ROLE app SUPERUSER"),
        ("postgres", "ALTER ROLE app PASSWORD 'another'"),
        ("postgres", "ALTER DATABASE ai_platform OWNER TO app"),
        ("ai_platform", "REVOKE CREATE ON SCHEMA public FROM app"),
        ("postgres", "GRANT CONNECT ON DATABASE ai_platform TO PUBLIC"),
    ],
)
def test_what_was_changed_by_hand_is_seen_and_put_right(
    cluster: Cluster, converge: Callable[[], dict[str, Value]], tmp_path: Path, database: str, sql: str
) -> None:
    converge()
    assert not converge()["changed"]
    assert holds(tmp_path)
    cluster.ask(sql, database)
    assert not holds(tmp_path)
    converge()
    assert not converge()["changed"]
    assert holds(tmp_path)
    text = (tmp_path / "state" / DIGEST).read_text()
    assert PASSWORD not in text
    assert "SCRAM-SHA-256$" not in text


def test_a_call_that_changed_something_leaves_no_record(
    cluster: Cluster, converge: Callable[[], dict[str, Value]], tmp_path: Path
) -> None:
    cluster.ask("DROP DATABASE IF EXISTS ai_platform")
    assert converge()["changed"]
    assert not holds(tmp_path)


def test_a_cluster_that_is_away_says_nothing(tmp_path: Path) -> None:
    assert answers(str(tmp_path), [["postgres", "SELECT 1"]]) is None


def test_a_database_that_is_not_there_says_nothing(cluster: Cluster) -> None:
    data = str(cluster.directory / "data")
    assert answers(data, [["postgres", "SELECT 1"]]) is not None
    assert answers(data, [["nowhere", "SELECT 1"]]) is None
