"""The scenario's machines, questions from them, the app's suite for stores, backups and restores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from asking import answer_of
from data_host import machines, variables
from keeping import Keeper, keeper
from machines import PROJECT, SOURCES, Machines

CA = ".lab/molecule-vectors/ca.pem"
Ask = Callable[..., tuple[int, str]]
__all__ = ["Keeper", "keeper", "machines", "variables"]


@pytest.fixture(scope="session")
def key(variables: Mapping[str, Any]) -> str:
    """The site's key for its vector store."""
    return str(variables["vault_vector_store_api_key"])


@pytest.fixture(scope="session")
def ask(machines: Machines) -> Ask:
    """Asks a URL from a host: status (0 without an answer) and text."""

    def asked(host: str, url: str, body: object = None, token: str = "") -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return answer_of(machines, host, url, body=body, headers=headers)

    return asked


@pytest.fixture(scope="session")
def restore(tmp_path_factory: pytest.TempPathFactory) -> Keeper:
    """Restores as an operator does, and returns what the command says."""

    def given(store: str, **chosen: str) -> Any:  # noqa: ANN401 - JSON
        sources = [part for source in SOURCES for part in ("-i", str(source))]
        if chosen:
            # The site says otherwise than the scenario's inventory.
            laid_over = tmp_path_factory.mktemp("site") / "hosts.yml"
            laid_over.write_text(json.dumps({"all": {"vars": chosen}}), encoding="utf-8")
            sources += ["-i", str(laid_over)]
        command = [str(Path(sys.executable).with_name("rackwright")), "restore", *sources, store]
        command += ["--confirm", store, "--json"]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)["streams"][store]

    return given


@pytest.fixture(scope="session")
def play(machines: Machines) -> Callable[..., str]:
    """Runs a playbook on the data host and returns what it says."""

    def played(playbook: str, *options: str, status: int = 0, **extra: object) -> str:
        code, said = machines.play(f"playbooks/{playbook}.yml", "data1", *options, **extra)
        assert (code == 0) == (status == 0), said
        return said

    return played


@pytest.fixture(scope="session")
def suite(machines: Machines) -> Callable[..., str]:
    """Runs the app's suite for vector stores in the network of the app's host."""

    def run(kind: str, url: str, api_key: str) -> str:
        ca = PROJECT / CA
        ca.write_text(machines.inside("app1", "cat /etc/rackwright/tls/ca.pem") + "\n", encoding="utf-8")
        store = {"kind": kind, "url": url, "api_key": api_key, "ca": str(ca)}
        inspected = ["docker", "inspect", "-f", "{{.State.Pid}}", machines.containers["app1"]]
        process = subprocess.run(inspected, capture_output=True, text=True, check=True).stdout.strip()
        command = [
            "nsenter",
            "-t",
            process,
            "-n",
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
        ]
        done = subprocess.run(
            [*command, "tests/test_app_stores.py"],
            cwd=PROJECT / "app",
            env={**os.environ, "RACKWRIGHT_STORE": json.dumps(store)},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run
