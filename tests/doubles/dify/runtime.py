"""What the daemon does to run a plugin on its own host, step by step (its internal/core/local_runtime).

The steps are the daemon's, and `uv` is the real one. What differs: the daemon asks for Python 3.12, which
Debian does not have; the double asks for the interpreter that it is given.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from packages import Opened

_PASSED = ("UV_INDEX_NEXUS_USERNAME", "UV_INDEX_NEXUS_PASSWORD", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


class InstallError(Exception):
    """A step failed; the text is what the daemon would write."""


def dependency_file(place: Path, settings: Mapping[str, str]) -> str:
    """Return which file names the requirements: with a mirror requirements.txt first, else pyproject.toml."""
    order = ["pyproject.toml", "requirements.txt"]
    if settings.get("PIP_MIRROR_URL"):
        order.reverse()
    for name in order:
        if (place / name).is_file():
            return name
    raise InstallError("neither pyproject.toml nor requirements.txt found in plugin directory")


def arguments(place: Path, settings: Mapping[str, str]) -> list[str]:
    """Return what `uv` is called with."""
    mirror = ["-i", settings["PIP_MIRROR_URL"]] if settings.get("PIP_MIRROR_URL") else []
    extra = settings.get("PIP_EXTRA_ARGS", "").split()
    if dependency_file(place, settings) == "requirements.txt":
        return ["pip", "install", *mirror, "-r", "requirements.txt", "-vvv", *extra]
    locked = (place / "uv.lock").is_file() and settings.get("PLUGIN_IGNORE_UV_LOCK") != "true"
    return ["sync", "--no-dev", *(["--frozen"] if locked else []), *mirror, "-v", *extra]


def install(package: Opened, working: Path, uv: str, python: str, settings: Mapping[str, str]) -> Path:
    """Lay a package out, make its environment, and return where it is.

    Args:
        package: What was uploaded.
        working: PLUGIN_WORKING_PATH.
        uv: The program.
        python: What is asked for as its interpreter.
        settings: The daemon's variables.
    """
    place = working / package.identifier.replace(":", "-")
    for name, content in package.files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    _run([uv, "venv", ".venv", "--python", python], place, dict(os.environ))
    environment = {
        "VIRTUAL_ENV": str(place / ".venv"),
        "PATH": os.environ["PATH"],
        "UV_CACHE_DIR": str(working / ".uv-cache"),
        **{name: settings[name] for name in _PASSED if name in settings},
    }
    _run([uv, *arguments(place, settings)], place, environment)
    interpreter = str(place / ".venv/bin/python")
    _run([interpreter, "-m", "compileall", "-q", "-x", r"\.venv|\.uv-cache", "."], place, environment)
    (place / ".venv/dify").mkdir(exist_ok=True)
    flag = json.dumps({"timestamp": int(time.time())})
    (place / ".venv/dify/plugin.json").write_text(flag, encoding="utf-8")
    return place


def _run(command: list[str], place: Path, environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        command, cwd=place, env=dict(environment), capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode:
        raise InstallError(f"failed to install dependencies: {command[1:3]}: {done.stderr[-1500:]}")
