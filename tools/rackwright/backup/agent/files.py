"""Files and directories: copied while their unit stands still, sent when it runs again."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from rackwright.backup.agent import archive
from rackwright.backup.agent.shell import Failed, run

STAGING = Path("/var/lib/rackwright/backup-staging")


def send(store: dict[str, Any], out: IO[bytes]) -> None:
    """Copy the paths, and send the copy."""
    paths = [Path(path) for path in store["paths"]]
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise Failed(
            f"there is no {', '.join(missing)}", "correct `state.paths` of the service in the catalogue"
        )
    facts = {"kind": "files"}
    if store["stop"] == "none":
        archive.send(out, [(_inside(path), path) for path in paths], facts)
        return
    STAGING.mkdir(mode=0o700, parents=True, exist_ok=True)
    needed, free = sum(map(_size, paths)), shutil.disk_usage(STAGING).free
    if needed * 1.1 > free:
        raise Failed(f"a copy takes {needed >> 20} MB, {STAGING} has {free >> 20} MB free")
    with tempfile.TemporaryDirectory(dir=STAGING) as held:
        with standing_still(store["stop"]):
            for path in paths:
                target = Path(held) / _inside(path)
                target.parent.mkdir(parents=True, exist_ok=True)
                run(["cp", "-a", "--reflink=auto", "--sparse=auto", str(path), str(target)])
        archive.send(out, [(_inside(path), Path(held) / _inside(path)) for path in paths], facts)


def receive(store: dict[str, Any], source: IO[bytes]) -> dict[str, Any]:
    """Put files in the place of what is there; that is kept beside it until the next restore."""
    STAGING.mkdir(mode=0o700, parents=True, exist_ok=True)
    paths = [Path(path) for path in store["paths"]]
    with tempfile.TemporaryDirectory(dir=STAGING) as held:
        manifest = archive.receive(source, Path(held))
        with standing_still(store["stop"]):
            for path in paths:
                fresh = Path(held) / _inside(path)
                if not (fresh.exists() or fresh.is_symlink()):
                    raise Failed(f"the backup has no {path}")
                aside = path.with_name(f"{path.name}.before-restore")
                if aside.is_dir() and not aside.is_symlink():
                    shutil.rmtree(aside)
                else:
                    aside.unlink(missing_ok=True)
                if path.exists() or path.is_symlink():
                    path.rename(aside)
                path.parent.mkdir(parents=True, exist_ok=True)
                run(["cp", "-a", str(fresh), str(path)])
        wrong = [
            name for name, wanted in manifest["files"].items() if archive.checksum(Path("/") / name) != wanted
        ]
    # What runs may already have written again.
    return {"kind": "files", "files": len(manifest["files"]), "changed_since": len(wrong)}


@contextmanager
def standing_still(unit: str) -> Iterator[None]:
    """Stop what writes, and start it again whatever happens; what did not run is not started."""
    if unit == "none":
        yield
        return
    kind, _, name = unit.rpartition("container:")
    container = bool(kind) or unit.startswith("container:")
    runs = (
        run(["docker", "inspect", "-f", "{{.State.Running}}", name], check=False).stdout.strip() == "true"
        if container
        else run(["systemctl", "is-active", "--quiet", unit], check=False).returncode == 0
    )
    program = ["docker"] if container else ["systemctl"]
    if runs:
        run([*program, "stop", name if container else unit])
    try:
        yield
    finally:
        if runs:
            run([*program, "start", name if container else unit])


def _inside(path: Path) -> str:
    return str(path).lstrip("/")


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(Path(place, name).lstat().st_size for place, _, names in os.walk(path) for name in names)
