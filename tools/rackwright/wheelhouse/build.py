"""Makes the archive, or finds the one that was made of the same inputs."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from rackwright.errors import RackwrightError
from rackwright.site.paths import cache_directory, repository_root
from rackwright.wheelhouse import pip
from rackwright.wheelhouse.archive import sha256_of, write_archive
from rackwright.wheelhouse.lock import Pinned, needed, read_lock
from rackwright.wheelhouse.target import Target, Wheelhouse

APP = "rackwright-app"
LOCK = "requirements.lock"
PROJECT = "pyproject.toml"
INSTALLER_LOCK = "installer.lock"
# To be raised when the layout of the archive changes.
_FORMAT = 1
_SUFFIXES = frozenset({".py", ".mako"})


def ensure_wheelhouse(
    python: str, arch: str = "x86_64", source: Path | None = None, package: str = APP, index: str = ""
) -> Wheelhouse:
    """Return the archive of a package for a target; it is made when its inputs have changed.

    Args:
        python: Version of the interpreter, `3.13`.
        arch: Machine, `x86_64` or `aarch64`.
        source: The package's directory with its lock, and its code where it is ours; of the app `app/` of the
            checkout when not given, of others `roles/<package>/files`.
        package: Name of the package; the first of its lock, where that is all there is of it.
        index: Package index, a URL or a directory, that pip asks instead of the one of its own settings.

    Returns:
        The archive. Where it lies: $RACKWRIGHT_CACHE/wheelhouse, ~/.cache/rackwright/wheelhouse without that.

    Raises:
        RackwrightError: The target is not supported, or wheels cannot be had.
    """
    target = Target(python, arch)
    source = source or repository_root() / ("app" if package == APP else f"roles/{package}/files")
    files = _sources(source)
    version = _version(source)
    cache = cache_directory("wheelhouse")
    stem = f"{package}-{version}-{target.tag}-{_digest(source, files, target)}"
    archive, facts = cache / f"{stem}.tar", cache / f"{stem}.json"
    # Several hosts of a play ask at the same time; one builds, the others find it.
    with _locked(cache / "lock"):
        if not (archive.is_file() and facts.is_file()):
            with pip.asking(index):
                _make(source, files, target, version, archive)
            _replace(facts, json.dumps({"sha256": sha256_of(archive)}))
    sha256 = json.loads(facts.read_text(encoding="utf-8"))["sha256"]
    return Wheelhouse(archive, sha256, version, python, arch)


def _make(source: Path, files: Sequence[Path], target: Target, version: str, archive: Path) -> None:
    wheels = downloaded(needed(read_lock(source / LOCK), target), target, archive.parent)
    installer = downloaded(needed(read_lock(_installer(source)), target), target, archive.parent)
    with TemporaryDirectory(prefix=".making-", dir=archive.parent) as name:
        made = Path(name)
        own = [pip.build_wheel(source, files, made)] if files else []
        requirements = made / "requirements.txt"
        lines = [package.line() for package in needed(read_lock(source / LOCK), target)]
        lines += [f"./wheels/{wheel.name} \\\n    --hash=sha256:{sha256_of(wheel)}" for wheel in own]
        requirements.write_text("\n".join(lines) + "\n", encoding="utf-8")
        facts = made / "wheelhouse.json"
        facts.write_text(
            json.dumps({"format": _FORMAT, "version": version, "python": target.python, "arch": target.arch})
            + "\n"
        )
        contents = {f"wheels/{wheel.name}": wheel for wheel in (*wheels, *own)}
        contents |= {f"installer/{wheel.name}": wheel for wheel in installer}
        contents |= {each.name: each for each in (requirements, facts)}
        write_archive(made / "archive.tar", contents)
        (made / "archive.tar").replace(archive)


def downloaded(packages: Sequence[Pinned], target: Target, cache: Path) -> list[Path]:
    """Return the wheels of pinned packages, kept from one release of the app to the next.

    Args:
        packages: Of a lock, those that the target needs.
        target: What they must run on.
        cache: Where they are kept.

    Raises:
        RackwrightError: One cannot be had.
    """
    text = "\n".join(package.line() for package in packages)
    kept = cache / f"wheels-{target.tag}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    if not kept.is_dir():
        with TemporaryDirectory(prefix=".making-", dir=cache) as name:
            into = Path(name) / "wheels"
            into.mkdir()
            found = pip.download(packages, target, into)
            if len(found) != len(packages):
                raise RackwrightError(f"{len(packages)} wheels wanted, {len(found)} downloaded")
            shutil.move(into, kept)
    return sorted(kept.glob("*.whl"))


def _sources(source: Path) -> list[Path]:
    files = []
    if (source / PROJECT).is_file():
        files = [source / PROJECT, source / "README.md"]
    files += [
        path for path in (source / "src").rglob("*") if path.suffix in _SUFFIXES or path.name == "py.typed"
    ]
    missing = [path for path in (*files, source / LOCK, _installer(source)) if not path.is_file()]
    if missing:
        raise RackwrightError(f"{missing[0]} is missing", hint="run this in a whole checkout of the project")
    return sorted(files)


def _installer(source: Path) -> Path:
    """What installs any package on a host is locked once, with the app."""
    own = source / INSTALLER_LOCK
    return own if own.is_file() else repository_root() / "app" / INSTALLER_LOCK


def _version(source: Path) -> str:
    if not (source / PROJECT).is_file():
        return read_lock(source / LOCK)[0].version
    project = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def _digest(source: Path, files: Sequence[Path], target: Target) -> str:
    digest = hashlib.sha256(f"{_FORMAT} {target.tag}".encode())
    for path in (*files, source / LOCK, _installer(source)):
        inside = path.is_relative_to(source)
        digest.update(f"\0{path.relative_to(source) if inside else path.name}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _replace(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text + "\n", encoding="utf-8")
    new.replace(path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
