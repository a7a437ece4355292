"""Fetch a model's file from a web server of the site, and go on where an earlier attempt was cut."""

from __future__ import annotations

import http.client
import ssl
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import Any

from ansible.module_utils.rackwright.artifact_files import BLOCK, is_url, make_directories
from ansible.module_utils.rackwright.model_store import HostStore, ModelError

TIMEOUT_SECONDS = 60
# Attempts in a row that bring nothing.
TRIES = 4
_PAUSE = 1.0


def fetch(store: HostStore, file: dict[str, Any], ca_file: str | None) -> None:
    """Bring one file into the store.

    Raises:
        ModelError: The server does not give it, or gives something else twice.
    """
    sha256, size = str(file["sha256"]), int(file["size"])
    for last in (False, True):
        _collect(store, file, ca_file)
        if store.adopt(sha256, size):
            return
        if last:
            raise ModelError(
                f"{file['source']} has another content than its manifest says (SHA-256 {sha256});"
                " nothing was replaced. Make the mirror's copy again: `rackwright models export`"
            )


def _collect(store: HostStore, file: dict[str, Any], ca_file: str | None) -> None:
    sha256, size = str(file["sha256"]), int(file["size"])
    path = store.partial(sha256)
    make_directories(path.parent)
    idle = 0
    while (there := store.collected(sha256, size)) < size or not path.exists():
        reason = _attempt(str(file["source"]), path, there, ca_file)
        if store.collected(sha256, size) > there or (size == 0 and path.exists()):
            idle = 0
            continue
        idle += 1
        if idle >= TRIES:
            raise ModelError(
                f"{file['source']} does not give the file: {reason};"
                " is the mirror up, and may this host reach it?"
            )
        time.sleep(_PAUSE)


def _attempt(url: str, path: Path, there: int, ca_file: str | None) -> str:
    """Take what comes till the end or the cut; return why it was cut."""
    if not is_url(url):
        raise ModelError(f"{url} is no http(s) URL")
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if url.startswith("https://"):
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca_file)))
    opener = urllib.request.build_opener(*handlers)
    if there:
        opener.addheaders = [*opener.addheaders, ("Range", f"bytes={there}-")]
    try:
        with opener.open(url, timeout=TIMEOUT_SECONDS) as stream:
            # A server without ranges sends all of it again.
            goes_on = there and stream.status == HTTPStatus.PARTIAL_CONTENT
            with path.open("ab" if goes_on else "wb") as writer:
                while block := stream.read(BLOCK):
                    writer.write(block)
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        return str(error)
    return "the connection ended"
