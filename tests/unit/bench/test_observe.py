"""The checking script is run here on real files: what it must notice, it notices."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rackwright.bench.observe import Subjects, differences, observe_script
from rackwright.bench.work import Cluster


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Programs that this machine need not have."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name, text in {
        "ss": "echo 'LISTEN 0 5 127.0.0.1:80 0.0.0.0:*'",
        "systemctl": "echo Id=$3; echo ActiveState=active",
        "nft": 'echo "table $5 $6"',
    }.items():
        path = directory / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    return directory


def look(programs: Path, subjects: Subjects) -> str:
    environment = {"PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-s"],
        input=observe_script(subjects),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def change_content(file: Path) -> None:
    file.write_text("other")


def change_mode(file: Path) -> None:
    file.chmod(0o600)


def replace_by_link(file: Path) -> None:
    file.unlink()
    file.symlink_to("/etc/hostname")


@pytest.mark.parametrize(
    ("damage", "part"),
    [(change_content, "contents"), (change_mode, "rights"), (replace_by_link, "rights")],
)
def test_a_changed_file_is_noticed(
    programs: Path, tmp_path: Path, damage: Callable[[Path], None], part: str
) -> None:
    file = tmp_path / "a file's name"
    file.write_text("content")
    file.chmod(0o644)
    subjects = Subjects(hashed=(str(file),))
    before = look(programs, subjects)
    assert differences(before, look(programs, subjects)) == []
    damage(file)
    assert part in [told.partition(":")[0] for told in differences(before, look(programs, subjects))]


def test_what_came_back_is_noticed(programs: Path, tmp_path: Path) -> None:
    gone = tmp_path / "default"
    subjects = Subjects(absent=(str(gone),))
    before = look(programs, subjects)
    gone.symlink_to("/nowhere")
    told = differences(before, look(programs, subjects))
    assert told == [f"absent: 'nothing' became '{gone} is there'"]


def test_a_missing_file_fails(tmp_path: Path) -> None:
    script = observe_script(Subjects(hashed=(str(tmp_path / "missing"),)))
    done = subprocess.run(["bash", "-s"], input=script, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "missing" in done.stderr


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="needs dpkg")
def test_packages_are_asked_for_by_name_alone(programs: Path) -> None:
    seen = look(programs, Subjects(packages=("bash=1:5", "coreutils/stable")))
    assert "## packages\nbash installed\ncoreutils installed\n" in seen


def test_units_and_ports(programs: Path) -> None:
    seen = look(programs, Subjects(units=("nginx.service",), firewall=True))
    assert "ActiveState=active" in seen
    assert seen.endswith("## ports\n127.0.0.1:80\n")


def test_the_name_server_of_docker_is_no_service(programs: Path) -> None:
    (programs / "ss").write_text("#!/bin/sh\necho 'LISTEN 0 5 127.0.0.11:41617 0.0.0.0:*'\n")
    assert look(programs, Subjects()) == "## ports\n"


def test_salted_passwords_count_only_where_they_are_comparable() -> None:
    cluster = Cluster("17", "main", 5433, "/data", "C.UTF-8")
    assert "rolpassword" in observe_script(Subjects(cluster=cluster))
    assert "rolpassword" not in observe_script(Subjects(cluster=cluster, verifiers=False))
    assert "-p 5433" in observe_script(Subjects(cluster=cluster))


def test_a_password_is_never_shown() -> None:
    before = "## databases\napp|t|-1|SCRAM-SHA-256$1\n## ports\n"
    assert differences(before, before.replace("$1", "$2")) == ["databases"]


def test_parts_that_are_gone_are_told() -> None:
    assert differences("## firewall\ntable inet x\n", "") == ["firewall: 'table inet x' became 'nothing'"]
