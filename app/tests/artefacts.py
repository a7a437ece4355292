"""Where the artefacts of ``artefacts.lock`` lie; they are installed on first use."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

_LOCK = Path(__file__).with_name("artefacts.lock")


def artefacts() -> Path:
    """Returns the directory of the artefacts."""
    cache = Path(os.environ.get("RACKWRIGHT_CACHE", "~/.cache/rackwright")).expanduser()
    digest = hashlib.sha256(_LOCK.read_bytes() + sys.version.encode()).hexdigest()[:12]
    directory = cache / f"app-tests-{digest}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "app-tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.is_dir():
            making = directory.with_suffix(".new")
            subprocess.run(
                [
                    *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
                    *(
                        "--no-deps",
                        "--require-hashes",
                        "--upgrade",
                        "-r",
                        str(_LOCK),
                        "--target",
                        str(making),
                    ),
                ],
                check=True,
            )
            making.rename(directory)
    return directory
