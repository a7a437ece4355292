"""Python packages: of what runs on hosts and of the control node, by their locks; the index of both."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from rackwright.bundle.manifest import BundleError, Entry
from rackwright.bundle.store import Store
from rackwright.bundle.systems import System
from rackwright.site.paths import repository_root
from rackwright.wheelhouse.build import downloaded
from rackwright.wheelhouse.lock import needed, read_lock
from rackwright.wheelhouse.target import Target

_OLDEST = (3, 11)
_METADATA = re.compile(r"^(?P<name>.+?)-(?P<version>[^-]+)-")


def targets(chosen: Iterable[System]) -> list[Target]:
    """Return the interpreters of the systems that our own programs run on, each once."""
    found = {(each.python, each.machine) for each in chosen if _minor(each.python) >= _OLDEST[1]}
    return [Target(python, machine) for python, machine in sorted(found)]


def host_wheels(locks: Iterable[Path], chosen: Iterable[System], cache: Path) -> Iterator[Path]:
    """Yield the wheels of every lock for every interpreter, and of what installs them there."""
    installer = repository_root() / "app" / "installer.lock"
    for target in targets(chosen):
        for lock in [*(directory / "requirements.lock" for directory in locks), installer]:
            yield from downloaded(needed(read_lock(lock), target), target, cache)


def control_wheels(chosen: Iterable[System], cache: Path) -> Iterator[Path]:
    """Yield the wheels that a control node needs: of the lock those that the toolkit depends on."""
    lock = read_lock(repository_root() / "requirements.lock")
    for target in targets(chosen):
        wanted = _depended_on("rackwright", target)
        pinned = [each for each in needed(lock, target) if _normal(each.name) in wanted]
        yield from downloaded(pinned, target, cache)


def _depended_on(project: str, target: Target) -> set[str]:
    """Return the names of all that a project depends on, as its installed metadata say for an interpreter."""
    found: set[str] = set()
    waiting, seen = [(project, "")], {(project, "")}
    while waiting:
        name, extra = waiting.pop()
        for requirement in _requirements(name, own=name == project):
            if requirement.marker and not requirement.marker.evaluate(
                {**target.environment(), "extra": extra}
            ):
                continue
            found.add(_normal(requirement.name))
            for further in ("", *requirement.extras):
                step = (_normal(requirement.name), further)
                if step not in seen:
                    seen.add(step)
                    waiting.append(step)
    return found


def _requirements(name: str, *, own: bool) -> list[Requirement]:
    try:
        return [Requirement(text) for text in metadata.requires(name) or ()]
    except metadata.PackageNotFoundError as error:
        if own:
            raise BundleError(f"{name} is not installed here: run this in its environment") from error
        # For another interpreter than this one alone: what it needs in turn is in the lock as well.
        return []


def entries(wheels: Iterable[Path], store: Store) -> list[Entry]:
    """Put wheels into a bundle, each once; return their entries."""
    found: dict[str, Entry] = {}
    for wheel in wheels:
        if wheel.name in found:
            continue
        match = _METADATA.match(wheel.name)
        sha256, size = store.add_file(wheel)
        found[wheel.name] = Entry(
            path=f"python/wheels/{wheel.name}",
            sha256=sha256,
            size=size,
            kind="wheel",
            name=_normal(match["name"]) if match else wheel.name,
            version=match["version"] if match else "",
            source=f"pypi {wheel.name}",
        )
    return list(found.values())


def index(wheels: Iterable[Entry], store: Store) -> list[Entry]:
    """Write the pages of a package index (PEP 503) over wheels; they work from a disk as from a server."""
    by_name: dict[str, list[Entry]] = {}
    for entry in wheels:
        by_name.setdefault(entry.name, []).append(entry)
    pages = {"python/simple/index.html": _page((f"{name}/", name) for name in sorted(by_name))}
    for name, files in by_name.items():
        links = (
            (f"../../wheels/{Path(each.path).name}#sha256={each.sha256}", Path(each.path).name)
            for each in sorted(files)
        )
        pages[f"python/simple/{name}/index.html"] = _page(links)
    found = []
    for path, text in sorted(pages.items()):
        sha256, size = store.add_bytes(text.encode())
        found.append(Entry(path, sha256, size, "index"))
    return found


def _page(links: Iterable[tuple[str, str]]) -> str:
    rows = "\n".join(f'<a href="{html.escape(target)}">{html.escape(text)}</a><br>' for target, text in links)
    return f"<!DOCTYPE html>\n<html><head><title>Packages</title></head><body>\n{rows}\n</body></html>\n"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _minor(python: str) -> int:
    return int(python.split(".")[1])
