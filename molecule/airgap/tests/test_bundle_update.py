"""Another version of the bundle comes as a difference, and hosts get what is new from it."""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from closed import BUNDLE, MADE, counted_at_the_gateway, named, rackwright, signer
from machines import Machines
from operating import Operator

from rackwright.lab.tiny_model import write_tiny_model

ARTIFACTS = MADE / "artifacts"


def in_the_bundle(sha256: str) -> Path:
    return BUNDLE / "objects" / sha256[:2] / sha256


@contextmanager
def a_machine_with_internet(artifacts: dict[str, Any]) -> Iterator[None]:
    """Has the files that bundles are built from; the control node of the site has none of them."""
    files = {
        Path(artifacts["llama_cpp_image"]["archive"]): artifacts["llama_cpp_image"]["sha256"],
        Path(artifacts["model"]["file"]): artifacts["model"]["sha256"],
    }
    release = yaml.safe_load((MADE / "double/release.yml").read_text())
    if in_the_bundle(release["sha256"]).is_file():
        files[Path(release["source"])] = release["sha256"]
    for path, sha256 in files.items():
        shutil.copyfile(in_the_bundle(sha256), path)
    try:
        yield
    finally:
        for path in files:
            path.unlink()


@pytest.fixture
def model() -> Iterator[dict[str, Any]]:
    """A new version of the site's model."""
    path = MADE / "tiny-next.gguf"
    write_tiny_model(path, name="tiny-next")
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    yield {"name": "tiny-random", "file": str(path), "sha256": digest, "size": len(content)}
    path.unlink(missing_ok=True)


def size_of(directory: Path) -> int:
    return sum(path.stat().st_size for path in (directory / "objects").rglob("*") if path.is_file())


def test_a_site_updates_from_a_difference(machines: Machines, model: dict[str, Any], tmp_path: Path) -> None:
    new, diff, site = MADE / "next", MADE / "difference", MADE / "updated"
    for path in (new, diff, site):
        shutil.rmtree(path, ignore_errors=True)
    own = Operator(tmp_path / "own", {"llama_cpp_model": model, "bundle_directory": str(site)})
    # A file with variables beside it: the site, with its vault and authority, is still the lab's directory.
    own.sources[-1] /= "hosts.yml"
    # Where the bundle was built its contents are still there: only what is new is fetched.
    subprocess.run(["cp", "-al", str(BUNDLE), str(new)], check=True)
    with a_machine_with_internet(yaml.safe_load((ARTIFACTS / "artifacts.yml").read_text())):
        built = rackwright("bundle", "build", *named(own.sources), "--own-archives", str(new))
    assert built.returncode == 0, built.stdout + built.stderr

    told = rackwright("bundle", "diff", str(BUNDLE), str(new), "--output", str(diff))
    assert told.returncode == 0, told.stdout + told.stderr
    assert f"+ files/{model['sha256']}" in told.stdout
    assert ".deb" not in told.stdout
    mb, of = re.search(r"([\d.]+) MB of ([\d.]+) MB are new", told.stdout).groups()
    assert float(mb) < float(of) / 10
    assert size_of(diff) == pytest.approx(float(mb) * 1e6, abs=1e5)

    joined = rackwright("bundle", "join", str(BUNDLE), str(diff), str(site))
    assert joined.returncode == 0, joined.stdout + joined.stderr
    assert rackwright("bundle", "verify", str(site), "--signer", signer()).returncode == 0
    # From here on there is the site alone.
    Path(model["file"]).unlink()
    served = rackwright("bundle", "serve", *named(own.sources))
    assert served.returncode == 0, served.stdout + served.stderr
    assert "ops1 serves it" in served.stdout
    status, said = own.play("playbooks/inference.yml", "--limit", "app1")
    assert status == 0, said
    mounted = "docker inspect llama_cpp --format '{{range .Mounts}}{{.Source}} {{end}}'"
    assert model["sha256"] in machines.inside("app1", f"sha256sum $({mounted}) || true")
    assert machines.inside("app1", "docker ps --filter name=llama_cpp --filter health=healthy --quiet")
    # What no version needs any more has left the mirror.
    old = yaml.safe_load((ARTIFACTS / "artifacts.yml").read_text())["model"]["sha256"]
    assert machines.inside("ops1", f"find /srv/rackwright-bundle -name '{old}*'") == ""
    assert counted_at_the_gateway(machines) == 0
