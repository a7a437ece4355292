"""A real identity provider: oidc-provider of npm, at the versions of ``oidc_provider/package-lock.json``."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from certificates import Certificate

SOURCE = Path(__file__).with_name("oidc_provider")


def program() -> Path:
    """Returns the provider's program, with what it needs beside it; installed on first use."""
    if shutil.which("npm") is None:
        pytest.fail("npm is missing: make test-page installs it")
    cache = Path(os.environ.get("RACKWRIGHT_CACHE", "~/.cache/rackwright")).expanduser()
    files = sorted(path for path in SOURCE.iterdir() if path.is_file())
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]
    directory = cache / f"identity-provider-{digest}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "identity-provider.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.is_dir():
            making = directory.with_suffix(".new")
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir()
            for path in files:
                shutil.copy(path, making)
            subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=making, check=True)
            making.rename(directory)
    return directory / "provider.mjs"


@contextmanager
def started(
    directory: Path,
    tls: Certificate,
    *,
    issuer: str,
    address: str,
    port: int,
    clients: Sequence[Mapping[str, Any]],
    people: Mapping[str, Mapping[str, Any]],
    access_seconds: int = 60,
) -> Iterator[str]:
    """Runs the provider; yields its issuer."""
    configuration = directory / "provider.json"
    configuration.write_text(
        json.dumps(
            {
                "issuer": issuer,
                "address": address,
                "port": port,
                "certificate": str(tls.certificate),
                "key": str(tls.key),
                "clients": clients,
                "people": people,
                "access_seconds": access_seconds,
                "cookie_key": secrets.token_hex(16),
            }
        )
    )
    command = ["node", str(program()), str(configuration)]
    with (directory / "provider.log").open("w") as log:
        # A wheel's `node` is a program that starts another: both are ended, as one group.
        running = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
    with running:
        try:
            if running.stdout is None or running.stdout.readline().strip() != "ready":
                pytest.fail((directory / "provider.log").read_text())
            yield issuer
        finally:
            os.killpg(running.pid, signal.SIGTERM)
