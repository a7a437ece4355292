"""Files and directories: held as they are at one moment, and sent while their unit runs on."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from rackwright.backup.agent import archive
from rackwright.backup.agent.shell import Failed, run

STAGING = Path("/var/lib/rackwright/backup-staging")
ASIDE = ".rackwright-held-"

# Called as soon as what is sent cannot change any more.
Held = Callable[[], None]


def send(store: dict[str, Any], out: IO[bytes], held: Held) -> None:
    """Hold the paths as they are now, and send what was held.

    Where a unit stands still meanwhile they are copied. Files that are never written in place (`stop: none`)
    get second names: whoever replaces or deletes one later leaves what was held.
    """
    with ExitStack() as stack:
        if store["stop"] == "none":
            paths = paths_of(store)
            kept = [(_inside(path), stack.enter_context(_second_names(path))) for path in paths]
        else:
            kept = copies(store, stack)
        held()
        archive.send(out, kept, {"kind": "files"})


def paths_of(store: dict[str, Any]) -> list[Path]:
    """Return the paths of a store, all of which are there."""
    paths = [Path(path) for path in store["paths"]]
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise Failed(
            f"there is no {', '.join(missing)}", "correct `state.paths` of the service in the catalogue"
        )
    return paths


def copies(store: dict[str, Any], stack: ExitStack) -> list[tuple[str, Path]]:
    """Copy the paths while their unit stands still; returns names in a stream, and the copies."""
    paths = paths_of(store)
    STAGING.mkdir(mode=0o700, parents=True, exist_ok=True)
    needed, free = sum(map(_size, paths)), shutil.disk_usage(STAGING).free
    if needed * 1.1 > free:
        raise Failed(f"a copy takes {needed >> 20} MB, {STAGING} has {free >> 20} MB free")
    staged = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=STAGING)))
    with standing_still(store["stop"]):
        for path in paths:
            target = staged / _inside(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            run(["cp", "-a", "--reflink=auto", "--sparse=auto", str(path), str(target)])
    return [(_inside(path), staged / _inside(path)) for path in paths]


@contextmanager
def _second_names(path: Path) -> Iterator[Path]:
    """Give every file a second name in a directory beside the first ones, on the same file system."""
    beside = path if path.is_dir() else path.parent
    with tempfile.TemporaryDirectory(dir=beside, prefix=ASIDE) as place:
        target = Path(place) / path.name
        try:
            if path.is_dir():
                _link_tree(path, target)
            else:
                target.hardlink_to(path)
        except OSError as error:
            raise Failed(
                f"{path} cannot be held: {error}",
                "each of `state.paths` must be within one file system that knows hard links",
            ) from error
        yield target


def _link_tree(source: Path, target: Path) -> None:
    owner = source.stat()
    target.mkdir()
    os.chown(target, owner.st_uid, owner.st_gid)
    shutil.copystat(source, target)
    # What was deleted since it was listed is not there now either; whoever empties a directory may remove it.
    with os.scandir(source) as entries:
        for entry in entries:
            if entry.name.startswith(ASIDE):
                continue
            beside = target / entry.name
            with suppress(FileNotFoundError):
                if entry.is_symlink():
                    beside.symlink_to(Path(entry.path).readlink())
                elif entry.is_dir():
                    _link_tree(Path(entry.path), beside)
                elif entry.is_file():
                    beside.hardlink_to(entry.path)


def receive(store: dict[str, Any], source: IO[bytes]) -> dict[str, Any]:
    """Put files in the place of what is there; that is kept beside it until the next restore."""
    manifest = put(store, source)
    wrong = [
        name for name, wanted in manifest["files"].items() if archive.checksum(Path("/") / name) != wanted
    ]
    # What runs may already have written again.
    return {"kind": "files", "files": len(manifest["files"]), "changed_since": len(wrong)}


def put(store: dict[str, Any], source: IO[bytes]) -> dict[str, Any]:
    """Unpack a stream and put it in the place of what is there; return its manifest."""
    STAGING.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=STAGING) as held:
        manifest = archive.receive(source, Path(held))
        with standing_still(store["stop"]):
            for path in [Path(path) for path in store["paths"]]:
                fresh = Path(held) / _inside(path)
                if not (fresh.exists() or fresh.is_symlink()):
                    raise Failed(f"the backup has no {path}")
                _replace(path, fresh)
    return manifest


def _replace(path: Path, fresh: Path) -> None:
    """Put what is fresh in the place of what is there, which is kept beside it.

    A directory stays the one it is and its contents change: containers and units that run have it mounted.
    """
    aside = path.with_name(f"{path.name}.before-restore")
    if aside.is_dir() and not aside.is_symlink():
        shutil.rmtree(aside)
    else:
        aside.unlink(missing_ok=True)
    if path.is_dir() and fresh.is_dir() and not path.is_symlink():
        aside.mkdir(mode=0o700)
        for entry in list(path.iterdir()):
            shutil.move(entry, aside / entry.name)
        for entry in fresh.iterdir():
            run(["cp", "-a", str(entry), str(path)])
        run(["chown", "--reference", str(fresh), str(path)])
        run(["chmod", "--reference", str(fresh), str(path)])
        return
    if path.exists() or path.is_symlink():
        path.rename(aside)
    path.parent.mkdir(parents=True, exist_ok=True)
    run(["cp", "-a", str(fresh), str(path)])


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
