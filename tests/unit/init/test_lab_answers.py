"""The lab as answers: the site that `init` makes of them is the lab's own, by another name."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from rackwright.cli.main import main
from rackwright.errors import RackwrightError
from rackwright.lab.answers import answers_text, lab_answers
from rackwright.lab.inventory import read_lab
from rackwright.site.inventory import load_inventory
from rackwright.site.load import load_site
from rackwright.site.paths import repository_root

LAB = repository_root() / "inventories/lab"
SUM = "0" * 64
ARTIFACTS = {
    "llama_cpp_image": {"name": "x:1", "archive": "/x.tar.gz", "image_id": f"sha256:{SUM}", "sha256": SUM},
    "model": {"name": "tiny", "file": "/tiny.gguf", "sha256": SUM, "size": 1},
}


@pytest.fixture
def sources(tmp_path: Path) -> list[Path]:
    """A lab that looks as if it had been started, in a directory of the test's own."""
    directory = tmp_path / "lab"
    (directory / "artifacts").mkdir(parents=True)
    (directory / "artifacts/artifacts.yml").write_text(yaml.safe_dump(ARTIFACTS), encoding="utf-8")
    for name in ("id_ed25519", "known_hosts"):
        (directory / name).write_text("", encoding="utf-8")
    overlay = tmp_path / "overlay/hosts.yml"
    (overlay.parent / "group_vars").mkdir(parents=True)
    variables = {"lab_name": "other", "lab_prefix": "10.98"}
    overlay.write_text(yaml.safe_dump({"all": {"vars": variables}}), encoding="utf-8")
    (overlay.parent / "group_vars/all.yml").write_text(
        yaml.safe_dump({"lab_directory": str(directory)}), encoding="utf-8"
    )
    copy = tmp_path / "inventories/lab"
    shutil.copytree(LAB, copy, ignore=shutil.ignore_patterns("vault.yml", "pki", "host_vars"))
    return [copy, overlay]


def write(sources: list[Path], path: Path, *hosts: str, size: str = "lab") -> Path:
    lab = read_lab(sources)
    chosen = hosts or tuple(host.name for host in lab.hosts)
    path.write_text(answers_text(lab_answers(lab, load_inventory(sources), chosen, "again", size)))
    return path


def init(answers: Path, sites: Path) -> Path:
    with pytest.raises(SystemExit) as caught:
        main(["init", "--answers", str(answers), "--yes", "--no-secrets", "--output", str(sites / "again")])
    assert caught.value.code == 0
    return sites / "again"


def test_the_lab_made_anew_is_the_same_site(sources: list[Path], tmp_path: Path, sites: Path) -> None:
    made = load_site([init(write(sources, tmp_path / "answers.yml"), sites)])
    lab = load_site(sources)
    services = {name for name in lab.groups if name != "ungrouped"}
    assert {name: sorted(made.groups[name]) for name in services} == {
        name: sorted(lab.groups[name]) for name in services
    }
    renamed = replace(made, name=lab.name, domain=lab.domain, groups=lab.groups)
    assert renamed == lab


def test_connection_model_and_memory_come_along(sources: list[Path], tmp_path: Path, sites: Path) -> None:
    made = load_inventory([init(write(sources, tmp_path / "answers.yml"), sites)])
    lab = load_inventory(sources)
    names = (
        *("ansible_user", "ansible_become", "ansible_ssh_private_key_file", "ansible_ssh_common_args"),
        *("llama_cpp_image", "llama_cpp_model", "llama_cpp_context", "package_proxy", "lab", "tier"),
        *("host_memory_mb", "host_cpus", "app_answer_tokens"),
    )
    for name in names:
        for host in ("app1", "data1"):
            assert made.hosts[host].variables[name] == lab.hosts[host].variables[name], name
    # So `rackwright lab status -i <site>` and `lab down -i <site>` work on it.
    assert read_lab(made.sources).name == "other"


def test_one_machine_of_the_lab_as_a_small_site(sources: list[Path], tmp_path: Path, sites: Path) -> None:
    answers = write(sources, tmp_path / "answers.yml", "app1", "outside1", size="small")
    site = load_site([init(answers, sites)])
    assert set(site.hosts) == {"app1"}
    assert set(site.outside) == {"outside1"}
    assert site.hosts["app1"].zone == "dmz"
    assert {"nginx", "app", "docker", "postgresql", "redis", "sshd"} <= set(site.services_of("app1"))


def test_a_lab_that_has_not_been_started_is_refused(sources: list[Path], tmp_path: Path) -> None:
    (tmp_path / "lab/id_ed25519").unlink()
    with pytest.raises(RackwrightError) as caught:
        write(sources, tmp_path / "answers.yml")
    assert "has not been started" in caught.value.message
    assert caught.value.hint == "rackwright lab up"
