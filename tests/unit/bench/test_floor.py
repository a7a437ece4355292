"""The script of the converge benchmark, run with programs that only write down how they are called."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from rackwright.bench.floor import Certificate, Recipe, UnitState, floor_script
from rackwright.bench.work import Cluster

PROGRAMS = ("apt-get", "pg_createcluster", "openssl", "systemctl", "runuser", "sysctl", "chown", "tar")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A directory with programs that write their arguments, and tar what it was sent, beside them."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in PROGRAMS:
        keeps = f"cat >{tmp_path}/{name}.input\n" if name in {"tar", "runuser"} else ""
        said = f'#!/bin/sh\necho "{name} $*" >>{tmp_path}/calls\n{keeps}'
        path = programs / name
        path.write_text(said)
        path.chmod(0o755)
    return tmp_path


def run(machine: Path, recipe: Recipe, payload: bytes = b"") -> list[str]:
    environment = {"PATH": f"{machine}/bin:/usr/bin:/bin"}
    script = floor_script(recipe).encode() + payload
    done = subprocess.run(["bash", "-s"], input=script, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return (machine / "calls").read_text().splitlines()


def archive() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as made:
        entry = tarfile.TarInfo("etc/x")
        # Lines that a shell would run if it read on.
        content = b"exit 7\nmain\n" + bytes(range(256)) * 50
        entry.size = len(content)
        made.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def test_the_archive_behind_the_script_reaches_tar_whole(machine: Path) -> None:
    sent = archive()
    assert run(machine, Recipe(packages=("nginx",)), sent)[-1] == "tar -x -p -C / -f -"
    assert (machine / "tar.input").read_bytes() == sent


def test_all_packages_in_one_transaction_after_what_they_need(machine: Path) -> None:
    seed = machine / "etc" / "apt" / "proxy"
    content = 'Acquire::http::Proxy "http://x\'y";\n'
    calls = run(machine, Recipe(seeds={str(seed): content}, packages=("nginx", "redis-server")))
    apt = [call for call in calls if call.startswith("apt-get")]
    assert len(apt) == 2
    assert apt[0].endswith("update")
    assert apt[1].endswith("install nginx redis-server")
    assert seed.read_text() == content


def test_units_are_put_into_their_state_together(machine: Path) -> None:
    units = (
        UnitState("nginx.service", "active", "enabled"),
        UnitState("postgresql@17-main.service", "active", "enabled-runtime"),
        UnitState("chrony.service", "inactive", "disabled"),
    )
    calls = [call for call in run(machine, Recipe(units=units)) if call.startswith("systemctl")]
    assert calls == [
        "systemctl daemon-reload",
        "systemctl enable -q nginx.service",
        "systemctl disable -q chrony.service",
        "systemctl stop chrony.service",
        "systemctl restart nginx.service postgresql@17-main.service",
    ]


def test_the_database_is_made_before_its_files_and_filled_when_it_runs(machine: Path) -> None:
    cluster = Cluster("17", "main", 5432, "/data/17", "C.UTF-8")
    sql = "CREATE ROLE app PASSWORD 'SCRAM-SHA-256$4096:a$b';\n"
    units = (UnitState("postgresql@17-main.service", "active", ""),)
    calls = run(machine, Recipe(cluster=cluster, sql=sql, units=units))
    order = [call.split()[0] for call in calls]
    assert order == ["pg_createcluster", "tar", "systemctl", "systemctl", "runuser"]
    assert "--data-checksums" in calls[0]
    # As it is: neither the dollars nor the quotes mean anything to the shell.
    assert (machine / "runuser.input").read_text() == sql


def test_certificates_and_the_authority_that_knows_them(machine: Path) -> None:
    directory = machine / "tls" / "redis"
    (machine / "bin" / "openssl").write_text(
        f'#!/bin/sh\necho "openssl $*" >>{machine}/calls\n'
        f"touch {directory}/key.pem\necho made >{directory}/cert.pem\n"
    )
    made = Certificate(str(directory), "data1", ("DNS:data1", "IP:192.0.2.1"), "root", "redis", "0640")
    calls = run(machine, Recipe(certificates=(made,), authority=str(machine / "tls" / "ca.pem")))
    assert "-addext subjectAltName=DNS:data1,IP:192.0.2.1" in next(
        c for c in calls if c.startswith("openssl")
    )
    assert f"chown root:redis {directory}/key.pem {directory}/cert.pem" in calls
    assert (directory / "key.pem").stat().st_mode & 0o777 == 0o640
    assert (machine / "tls" / "ca.pem").read_text() == "made\n"


def test_a_failing_command_fails_the_script(machine: Path) -> None:
    (machine / "bin" / "apt-get").write_text("#!/bin/sh\nexit 100\n")
    script = floor_script(Recipe(packages=("nginx",))).encode()
    done = subprocess.run(
        ["bash", "-s"],
        input=script,
        env={"PATH": f"{machine}/bin:/usr/bin:/bin"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 100
    assert not (machine / "tar.input").exists()


def test_secrets_are_not_shown_with_the_recipe() -> None:
    assert "SCRAM" not in repr(Recipe(sql="CREATE ROLE app PASSWORD 'SCRAM-SHA-256$x'"))
