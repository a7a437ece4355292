"""What tests/doubles/build.py packs for MongoDB: the real shell of a package index, and doubles of the rest.

No package index has the server or its tools for copies. The server's double (mongod.py) speaks MongoDB's own
protocol, so the shell in the image is npm's real `mongosh`, and callers are real drivers; the doubles of
`mongodump` and `mongorestore` write and read the form of archive that the real ones do.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

from rackwright.site.paths import cache_directory

SHELL = "mongosh@2.5.8"
# What the shell needs is taken as it was on that day.
AS_OF = "2026-11-01"
ROOT = "usr/lib/mongodb-doubles"
PACKAGES = ("python3", "python3-yaml", "python3-pymongo", "nodejs")
CONFIGS: dict[str, dict[str, object]] = {"mongodb": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"]}}
DOUBLES = {"usr/bin/mongod": "mongod", "usr/bin/mongodump": "tools", "usr/bin/mongorestore": "tools"}
NOT_RUN = (".map", ".md", ".d.ts", ".d.mts", ".d.cts")


def shell() -> Path:
    """Return the directory of the shell's modules, fetched when they are asked for first."""
    directory = cache_directory("artifacts") / f"{SHELL}-{AS_OF}"
    with (cache_directory("artifacts") / "mongosh.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.is_dir():
            making = directory.with_name(f"{directory.name}.new")
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir()
            command = ["npm", "install", f"--before={AS_OF}", "--omit=optional", "--omit=dev"]
            command += ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", SHELL]
            subprocess.run(command, cwd=making, check=True, stdin=subprocess.DEVNULL)
            making.rename(directory)
    return directory


def added_files() -> dict[str, tuple[bytes, int]]:
    """Return what goes into the image beside the system and the doubles: path -> content and mode."""
    files: dict[str, tuple[bytes, int]] = {
        program: (f'#!/bin/sh\nexec python3 /{ROOT}/{double}.py {Path(program).name} "$@"\n'.encode(), 0o755)
        for program, double in DOUBLES.items()
    }
    starts = f'#!/bin/sh\nexec node /{ROOT}/node_modules/mongosh/bin/mongosh.js "$@"\n'
    files["usr/bin/mongosh"] = (starts.encode(), 0o755)
    modules = shell() / "node_modules"
    for path in sorted(modules.rglob("*")):
        if path.is_file() and not path.is_symlink() and not path.name.endswith(NOT_RUN):
            files[f"{ROOT}/node_modules/{path.relative_to(modules)}"] = (path.read_bytes(), 0o644)
    return files


def told(images: dict[str, dict[str, object]], target: Path) -> dict[str, object]:
    """Return what a role is told of the image."""
    del target
    return {"image": images["mongodb"]}
