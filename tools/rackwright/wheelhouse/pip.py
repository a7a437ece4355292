"""Asks pip, the control node's own, for wheels."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from rackwright.errors import RackwrightError
from rackwright.wheelhouse.archive import EPOCH
from rackwright.wheelhouse.lock import Pinned
from rackwright.wheelhouse.target import Target

_TOLD_LINES = 12
# What else pip could ask, and its settings' files.
_NO_OTHERS = {"PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}


def build_wheel(source: Path, files: Sequence[Path], into: Path) -> Path:
    """Build the wheel of a package.

    Args:
        source: The package's directory.
        files: What of it takes part; the build sees nothing else and writes nothing beside it.
        into: Where the wheel goes.

    Returns:
        The wheel. The same files always make the same bytes.
    """
    with TemporaryDirectory(prefix="rackwright-wheel-") as directory:
        for file in files:
            copy = Path(directory) / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
            copy.chmod(0o644)
        built = Path(directory) / "built"
        _pip(["wheel", "--no-deps", "--wheel-dir", str(built), directory], "the app's wheel was not built")
        wheel = next(built.glob("*.whl"))
        return Path(shutil.copyfile(wheel, into / wheel.name))


def download(packages: Sequence[Pinned], target: Target, into: Path) -> list[Path]:
    """Download the wheels of pinned packages for a target.

    Args:
        packages: What is wanted; nothing else comes.
        target: What they must run on.
        into: Where they go.

    Raises:
        RackwrightError: One cannot be had; what pip said is in the message.
    """
    with TemporaryDirectory(prefix="rackwright-lock-") as directory:
        wanted = Path(directory) / "requirements.txt"
        wanted.write_text("\n".join(package.line() for package in packages) + "\n", encoding="utf-8")
        abis = ["--abi", f"cp3{target.minor}", "--abi", "abi3", "--abi", "none"]
        platforms = [part for platform in target.platforms() for part in ("--platform", platform)]
        _pip(
            [
                *("download", "--no-deps", "--require-hashes", "--only-binary=:all:", "--dest", str(into)),
                *("--implementation", "cp", "--python-version", target.python),
                *abis,
                *platforms,
                *("--requirement", str(wanted)),
            ],
            f"the wheels for Python {target.python} on {target.arch} were not downloaded",
        )
    return sorted(into.glob("*.whl"))


@contextmanager
def asking(index: str) -> Iterator[None]:
    """Have pip ask another index than that of its own settings; an empty one leaves it to them."""
    given = (
        {}
        if not index
        else {"PIP_INDEX_URL": index if "://" in index else Path(index).as_uri(), **_NO_OTHERS}
    )
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _pip(arguments: Sequence[str], failure: str) -> None:
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)}
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        told = "\n".join((done.stderr or done.stdout).strip().splitlines()[-_TOLD_LINES:])
        raise RackwrightError(
            f"{failure}:\n{told}",
            hint="pip reads its own settings (pip config list): let index-url name an index or a mirror that "
            "this control node reaches",
        )
