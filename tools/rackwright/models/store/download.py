"""Fetch one file: goes on where it was cut, and is whole and checked, or is not there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import httpx

from rackwright.models.store.files import Digests, RemoteFile, StoreError, chunks

Progress = Callable[[str, int, int], None]

# Attempts in a row that bring no byte, before a download gives up.
ATTEMPTS = 5
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0


def silent(_path: str, _done: int, _size: int) -> None:
    """Report nothing."""


@dataclass
class Downloader:
    """Fetches files over one client.

    Attributes:
        client: Follows redirects; drops credentials where one leads to another host.
        progress: Called with path, bytes so far and size.
        sleep: How to wait between attempts.
        attempts: Attempts in a row that bring nothing, before it gives up.
    """

    client: httpx.Client
    progress: Progress = silent
    sleep: Callable[[float], None] = time.sleep
    attempts: int = ATTEMPTS
    _fruitless: int = field(default=0, init=False)

    def fetch(self, remote: RemoteFile, target: Path) -> str:
        """Fetch a file to `target`, where part of it may be; return its SHA-256.

        Raises:
            StoreError: It cannot be had, or is not what its checksum says, twice.
        """
        for _ in range(2):
            self._collect(remote, target)
            digests = Digests(remote.checksum, remote.size)
            for data in chunks(target):
                digests.update(data)
            if digests.matches():
                return digests.sha256
            # What was collected before a cut may be what is wrong: from the start.
            target.unlink()
        raise StoreError(
            f"{remote.path} is not what its checksum says, after fetching it whole a second time",
            hint="the source is damaged, or something between changes what it sends",
        )

    def _collect(self, remote: RemoteFile, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        if "://" not in remote.address:
            self._copy(remote, target)
            return
        self._fruitless = 0
        while True:
            before = _size(target)
            if before == remote.size and target.exists():
                return
            if before > remote.size:
                target.unlink()
                continue
            try:
                self._attempt(remote, target, before)
            except httpx.TransportError as error:
                self._pause(remote, error, progressed=_size(target) > before)
            else:
                if _size(target) != remote.size:
                    self._pause(remote, None, progressed=_size(target) > before)

    def _attempt(self, remote: RemoteFile, target: Path, start: int) -> None:
        headers = dict(remote.headers)
        # Compressed content has no ranges of the file.
        headers["Accept-Encoding"] = "identity"
        if start:
            headers["Range"] = f"bytes={start}-"
        with self.client.stream("GET", remote.address, headers=headers) as response:
            if response.status_code in {HTTPStatus.TOO_MANY_REQUESTS, *range(500, 600)}:
                raise httpx.RemoteProtocolError(f"the server answers {response.status_code}")
            if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                target.unlink(missing_ok=True)
                return
            if response.status_code not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
                raise StoreError(
                    f"{remote.path} cannot be had: {response.url.host} answers {response.status_code}",
                    hint=_hint(response.status_code),
                )
            # A server that knows no ranges sends all of it again.
            whole = response.status_code == HTTPStatus.OK
            done = 0 if whole else start
            with target.open("wb" if whole else "ab") as stream:
                # As it comes: what would be gathered into larger pieces is lost when the connection is cut.
                for data in response.iter_bytes():
                    stream.write(data)
                    done += len(data)
                    self.progress(remote.path, done, remote.size)
                    if done > remote.size:
                        raise StoreError(
                            f"{remote.path} is longer than the {remote.size} bytes of its listing"
                        )
                stream.flush()
                os.fsync(stream.fileno())

    def _pause(self, remote: RemoteFile, error: httpx.TransportError | None, *, progressed: bool) -> None:
        self._fruitless = 0 if progressed else self._fruitless + 1
        if self._fruitless >= self.attempts:
            said = f": {error}" if error and str(error) else ""
            raise StoreError(
                f"{remote.path} was cut {self.attempts} times without a byte more{said}",
                hint="run it again: it goes on where it stopped",
            ) from error
        self.sleep(min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._fruitless))

    def _copy(self, remote: RemoteFile, target: Path) -> None:
        done = 0
        try:
            with target.open("wb") as stream:
                for data in chunks(Path(remote.address)):
                    stream.write(data)
                    done += len(data)
                    self.progress(remote.path, done, remote.size)
                stream.flush()
                os.fsync(stream.fileno())
        except FileNotFoundError as error:
            raise StoreError(
                f"{remote.address} is missing", hint="the bundle is not complete: bring it again"
            ) from error


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _hint(status: int) -> str:
    match status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return "it asks for a token (`token` of the source), or for its licence to be accepted there"
        case HTTPStatus.NOT_FOUND:
            return "the name in group_vars/all/models.yml is not one that this source has"
        case _:
            return "try again later, or another source"
