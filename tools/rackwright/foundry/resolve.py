"""What a plugin needs, for the interpreter of the plugin daemon: versions by `uv`, wheels by pip."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from rackwright.errors import RackwrightError
from rackwright.foundry.package import Plugin
from rackwright.wheelhouse import pip
from rackwright.wheelhouse.archive import sha256_of
from rackwright.wheelhouse.lock import needed, read_lock
from rackwright.wheelhouse.target import Target

# The C library of the daemon's image (Ubuntu 24.04).
GLIBC = 39
_TOLD_LINES = 12


def wheels_of(plugin: Plugin, target: Target, into: Path) -> dict[str, Path]:
    """Find versions that fit together and download their wheels.

    Args:
        plugin: What needs them.
        target: The daemon's interpreter and machine.
        into: Where the wheels go.

    Returns:
        The requirement line (`name==version --hash=…`) of each wheel -> the wheel.

    Raises:
        RackwrightError: No versions fit together, or one has no wheel for the target.
    """
    with TemporaryDirectory(prefix="rackwright-foundry-") as directory:
        lock = Path(directory) / "requirements.lock"
        _compile(plugin, target, lock)
        packages = needed(read_lock(lock), target)
    if not packages:
        return {}
    found = pip.download(packages, target, into)
    if len(found) != len(packages):
        raise RackwrightError(f"{plugin.plugin_id}: {len(packages)} wheels wanted, {len(found)} downloaded")
    lines = {}
    for wheel in found:
        name, version = wheel.name.split("-")[:2]
        lines[f"{name.replace('_', '-').lower()}=={version} --hash=sha256:{sha256_of(wheel)}"] = wheel
    return lines


def _compile(plugin: Plugin, target: Target, lock: Path) -> None:
    wanted = lock.with_name("requirements.in")
    wanted.write_text(plugin.requirements, encoding="utf-8")
    done = subprocess.run(
        [
            *(_uv(), "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--generate-hashes"),
            *("--python-version", target.python, "--python-platform", f"{target.arch}-manylinux_2_{GLIBC}"),
            *("--only-binary", ":all:", "--output-file", str(lock), str(wanted)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        told = "\n".join((done.stderr or done.stdout).strip().splitlines()[-_TOLD_LINES:])
        raise RackwrightError(
            f"{plugin.plugin_id}: its requirements do not come together for Python {target.python} on "
            f"{target.arch}:\n{told}",
            hint="uv reads UV_DEFAULT_INDEX: let it name an index or a mirror that this node reaches",
        )


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if not found:
        raise RackwrightError("uv is not there", hint="install the project's own requirements (make venv)")
    return found
