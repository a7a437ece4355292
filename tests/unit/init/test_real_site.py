"""From a bare machine to a site, without editing a file by hand. Run by `make test-lab`.

One machine of a lab of its own becomes a small site, on which everything runs.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rackwright.site.paths import repository_root

pytestmark = pytest.mark.lab

# init, a bare machine's first converge with everything on it, plan, smoke.
SECONDS = 1800


def rackwright(*arguments: str, status: int = 0) -> str:
    command = [sys.executable, "-m", "rackwright.cli.main", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == status, f"{' '.join(arguments)}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    overlay = tmp_path_factory.mktemp("overlay") / "hosts.yml"
    overlay.write_text('all: {vars: {lab_name: inittest, lab_prefix: "10.97"}}\n')
    options = ["-i", str(repository_root() / "inventories/lab"), "-i", str(overlay)]
    rackwright("lab", "down", *options)
    rackwright("lab", "up", *options, "--hosts", "app1,outside1")
    yield options
    rackwright("lab", "down", *options)


def test_init_preflight_apply_plan(lab: list[str], tmp_path: Path) -> None:
    answers, site = tmp_path / "answers.yml", tmp_path / "single"
    of_the_lab = ["--hosts", "app1,outside1", "--size", "small", "--name", "single"]
    answers.write_text(rackwright("lab", "answers", *lab, *of_the_lab), encoding="utf-8")
    rackwright("init", "--answers", str(answers), "--scan", "--yes", "--output", str(site))
    assert (site / "host_vars/app1/hardware.yml").is_file()
    rackwright("validate", "-i", str(site))
    rackwright("preflight", "-i", str(site))
    # A bare machine: there is something to do.
    rackwright("plan", "-i", str(site), status=2)
    rackwright("apply", "-i", str(site))
    rackwright("plan", "-i", str(site))
    rackwright("smoke", "-i", str(site))
