"""Build a kernel module in a place of its own, as DKMS would, before any package of the host is touched."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible.module_utils.rackwright import command

_NAME = re.compile(r'^PACKAGE_NAME="?([^"\s]+)"?', re.MULTILINE)
_VERSION = re.compile(r'^PACKAGE_VERSION="?([^"\s]+)"?', re.MULTILINE)
_ERROR = re.compile(r":\s*(fatal )?error:|^Error!|^E: |Unable to|No such file|recipe .*failed")
_STOP = re.compile(r"\*\*\* ")
_LINES = 12
_WIDTH = 240


def candidate(policy: str) -> str:
    """Read `apt-cache policy`: the version that apt would install; empty where there is none."""
    match = re.search(r"^\s*Candidate:\s*(\S+)", policy, re.MULTILINE)
    return "" if match is None or match[1] == "(none)" else match[1]


def telling_lines(log: str) -> list[str]:
    """Return the lines of a build's log that say what is wrong, the first ones first."""
    lines = [line.strip()[:_WIDTH] for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR.search(line)] or [line for line in lines if _STOP.search(line)]
    return (errors or lines[-_LINES:])[:_LINES]


def identity(configuration: str) -> tuple[str, str]:
    """Read dkms.conf: name and version of the module.

    Raises:
        ValueError: The file does not say.
    """
    name, version = _NAME.search(configuration), _VERSION.search(configuration)
    if name is None or version is None:
        raise ValueError("dkms.conf names no package or no version")
    return name[1], version[1]


class Verdicts:
    """What earlier builds came to: the same package, kernel and compiler come to the same."""

    def __init__(self, directory: str) -> None:
        """Take the directory that they are kept in."""
        self.directory = Path(directory)

    def _path(self, package: str, version: str, kernel: str, compiler: str) -> Path:
        parts = (package, version, kernel, compiler)
        return self.directory / ("_".join(re.sub(r"[^\w.+~-]", "-", part) for part in parts) + ".json")

    def get(self, package: str, version: str, kernel: str, compiler: str) -> dict[str, Any] | None:
        """Return an earlier verdict; None where there is none that can be read."""
        try:
            text = self._path(package, version, kernel, compiler).read_text(encoding="utf-8")
            verdict = json.loads(text)
        except (OSError, ValueError):
            return None
        return verdict if isinstance(verdict, dict) and "ok" in verdict else None

    def put(self, package: str, version: str, kernel: str, compiler: str, verdict: dict[str, Any]) -> None:
        """Keep a verdict, whole or not at all."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o755)
        path = self._path(package, version, kernel, compiler)
        waiting = path.with_suffix(".new")
        waiting.write_text(json.dumps(verdict, indent=1), encoding="utf-8")
        waiting.replace(path)


def compiler() -> str:
    """Return the compiler's version, which a build depends on."""
    answer = command.run(["gcc", "-dumpfullversion"])
    return answer.stdout.strip() or "none"


def build(
    package: str, version: str, kernel: str, timeout: float, parent: str | None = None
) -> dict[str, Any]:
    """Fetch a package and build its module with DKMS in a directory that is removed afterwards.

    Args:
        package: Package of the module's source.
        version: Its version.
        kernel: Release of the kernel; its headers must be there.
        timeout: Seconds for the build.
        parent: Where the directory is made; the system's own place when left out.

    Returns:
        ok, seconds and, for a failure, the telling lines of the log.
    """
    started = time.monotonic()
    with _scratch(parent) as place:
        fetched = command.run(
            [
                "sh",
                "-c",
                'cd "$1" && exec apt-get download -q -- "$2"',
                "sh",
                str(place),
                f"{package}={version}",
            ]
        )
        debs = list(place.glob("*.deb"))
        if fetched.rc != 0 or not debs:
            return _failed(started, fetched.output)
        unpacked = command.run(["dpkg-deb", "-x", str(debs[0]), str(place / "root")])
        configurations = list((place / "root").glob("usr/src/*/dkms.conf"))
        if unpacked.rc != 0 or not configurations:
            return _failed(started, unpacked.output or f"{package} has no dkms.conf")
        name, module_version = identity(configurations[0].read_text(encoding="utf-8", errors="replace"))
        tree = place / "dkms"
        tree.mkdir()
        trees = ["--dkmstree", str(tree), "--sourcetree", str(place / "root/usr/src")]
        module = ["-m", name, "-v", module_version]
        added = command.run(["dkms", "add", *trees, *module])
        if added.rc != 0:
            return _failed(started, added.output)
        done = command.run(["dkms", "build", *trees, *module, "-k", kernel], timeout=timeout)
        built = list(tree.rglob("*.ko*"))
        if done.rc != 0 or not built:
            return _failed(started, _log(tree) or done.output)
        modules = sorted({path.name.split(".ko")[0] for path in built})
        return {"ok": True, "seconds": round(time.monotonic() - started), "lines": [], "modules": modules}


@contextlib.contextmanager
def _scratch(parent: str | None) -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="rackwright-build-", dir=parent))
    # apt fetches as its own user.
    place.chmod(0o755)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _log(tree: Path) -> str:
    logs = sorted(tree.rglob("make.log"))
    return logs[-1].read_text(encoding="utf-8", errors="replace") if logs else ""


def _failed(started: float, log: str) -> dict[str, Any]:
    lines = telling_lines(log)
    return {"ok": False, "seconds": round(time.monotonic() - started), "lines": lines, "modules": []}
