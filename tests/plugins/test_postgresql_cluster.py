"""postgresql_cluster: made once, made again after an interruption, never over data."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import pytest
from ansible.module_utils.rackwright import systemd

Value: TypeAlias = Any
# Makes what Debian's program makes; dies half-way when the file `interrupt` exists, as a killed one does.
PROGRAM = """#!/bin/sh
while [ "$1" != -- ]; do [ "$1" = --datadir ] && data=$2; name=$1; [ $# -gt 2 ] && version=$2; shift; done
mkdir -p "$data" "{etc}/17/main"
echo half > "$data/half"
[ -e "{etc}/interrupt" ] && kill -9 $$
[ -e "$data/whole" ] && echo "already there" >&2 && exit 1
touch "{etc}/17/main/postgresql.conf" "$data/whole"
echo 17 > "$data/PG_VERSION"
"""


class Cluster:
    """The module on a root of its own, with a stand-in for pg_createcluster."""

    def __init__(self, root: Path, load: Value, run_module: Value, monkeypatch: pytest.MonkeyPatch) -> None:
        self.etc, self.data = root / "etc", root / "data" / "17" / "main"
        self._run_module = run_module
        (root / "bin").mkdir()
        self.etc.mkdir()
        (root / "lib" / "17" / "bin").mkdir(parents=True)
        (root / "lib" / "17" / "bin" / "initdb").touch()
        program = root / "bin" / "pg_createcluster"
        program.write_text(PROGRAM.format(etc=self.etc))
        program.chmod(0o755)
        code = load("modules", "postgresql_cluster")
        monkeypatch.setattr(systemd, "daemon_reload_later", lambda: None)
        monkeypatch.setattr(code, "CONFIGURATION", self.etc)
        monkeypatch.setattr(code, "LIBRARIES", root / "lib")
        monkeypatch.setenv("PATH", f"{root / 'bin'}:/usr/bin:/bin")

    def run(self, check: bool = False, version: str = "17") -> dict[str, Value]:
        arguments = {"version": version, "data_directory": str(self.data)}
        answer: dict[str, Value] = self._run_module("postgresql_cluster", arguments, check=check)
        return answer

    @property
    def whole(self) -> bool:
        return (self.data / "whole").exists() and (self.etc / "17" / "main" / "postgresql.conf").exists()


@pytest.fixture
def cluster(tmp_path: Path, load: Value, run_module: Value, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return Cluster(tmp_path, load, run_module, monkeypatch)


def test_made_once(cluster: Cluster) -> None:
    assert cluster.run(check=True)["changed"]
    assert not cluster.data.exists()
    assert cluster.run()["changed"]
    assert cluster.whole
    assert not cluster.run()["changed"]
    assert not cluster.run(check=True)["changed"]


def test_an_interrupted_creation_is_done_again(cluster: Cluster) -> None:
    (cluster.etc / "interrupt").touch()
    assert cluster.run()["failed"]
    assert (cluster.data / "half").exists()
    (cluster.etc / "interrupt").unlink()
    # What a killed initdb leaves may look whole to the eye.
    (cluster.data / "PG_VERSION").write_text("17\n")
    answer = cluster.run()
    assert answer["changed"]
    assert "interrupted" in answer["reason"]
    assert cluster.whole
    assert not cluster.run()["changed"]


def test_data_that_a_server_has_run_on_is_never_cleared(cluster: Cluster) -> None:
    cluster.run()
    (cluster.data / "postmaster.opts").touch()
    (cluster.data / "precious").write_text("data")
    (cluster.etc / ".rackwright-creating-17-main").touch()
    assert not cluster.run()["changed"]
    assert (cluster.data / "precious").read_text() == "data"


def test_another_major_is_refused_with_the_ways_out(cluster: Cluster) -> None:
    (cluster.etc / "15" / "main").mkdir(parents=True)
    for check in (True, False):
        answer = cluster.run(check=check)
        assert answer["failed"]
        assert "version 15" in answer["msg"]
        assert 'postgresql_version: "15"' in answer["msg"]
    assert not cluster.data.exists()


def test_data_of_another_major_is_refused_even_without_its_configuration(cluster: Cluster) -> None:
    cluster.data.mkdir(parents=True)
    (cluster.data / "PG_VERSION").write_text("16\n")
    assert "version 16" in cluster.run()["msg"]


def test_a_cluster_of_another_name_is_left_alone(cluster: Cluster) -> None:
    (cluster.etc / "15" / "reports").mkdir(parents=True)
    assert cluster.run()["changed"]
    assert cluster.whole


def test_a_host_without_the_package_is_told_so(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert cluster.run(check=True)["changed"]
    assert "is not installed" in cluster.run()["msg"]
