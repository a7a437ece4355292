"""A client of RELP, the reliable event logging protocol, over TLS: whoever takes a line says so.

A frame is `number command length data`; the answer to it has its number and begins with 200 when the line was
taken. See librelp, doc/relp.md. Caller and called show each other certificates of the site's authority.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from rackwright.logs.agent.wire import UndeliveredError

_OPEN = b"relp_version=0\nrelp_software=rackwright\ncommands=syslog"
_TAKEN = b"200"
_LAST = 999_999_999
# How many may be on their way before their answers are read.
_WINDOW = 500


class Relp:
    """One kept connection to whichever of the addresses answers."""

    def __init__(self, urls: Sequence[str], authority: str, certificate: str, timeout: float = 30) -> None:
        """Prepare; nothing connects yet.

        Args:
            urls: Such as relp://10.0.40.11:2514; one that does not answer gives way to the next.
            authority: The certificate of the site's authority.
            certificate: Directory with cert.pem and key.pem of this host.
            timeout: Seconds for whatever is waited for.
        """
        self._urls = list(urls)
        self._authority, self._own, self._timeout = authority, Path(certificate), timeout
        self._socket: socket.socket | None = None
        self._answers: BinaryIO | None = None
        self._number = 0

    def send(self, messages: Sequence[bytes]) -> None:
        """Send syslog messages; return when each was taken.

        Raises:
            UndeliveredError: Not all were; some may have been.
        """
        reasons = []
        for _ in self._urls:
            try:
                if self._socket is None:
                    self._connect()
                for begun in range(0, len(messages), _WINDOW):
                    self._exchange(b"syslog", messages[begun : begun + _WINDOW])
            except (OSError, ValueError) as error:
                reasons.append(f"{self._urls[0]}: {error or type(error).__name__}")
                self.close()
                self._urls.append(self._urls.pop(0))
            else:
                return
        raise UndeliveredError("; ".join(reasons))

    def close(self) -> None:
        """Close the connection; the next lines open one."""
        if self._answers is not None:
            self._answers.close()
        if self._socket is not None:
            self._socket.close()
        self._socket = self._answers = None

    def _connect(self) -> None:
        url = urlsplit(self._urls[0])
        # Read anew each time: certificates are renewed.
        context = ssl.create_default_context(cafile=self._authority)
        context.load_cert_chain(self._own / "cert.pem", self._own / "key.pem")
        plain = socket.create_connection((url.hostname or "", url.port or 0), timeout=self._timeout)
        try:
            self._socket = context.wrap_socket(plain, server_hostname=url.hostname)
        except OSError:
            plain.close()
            raise
        self._answers = self._socket.makefile("rb")
        self._number = 0
        self._exchange(b"open", [_OPEN])

    def _exchange(self, command: bytes, contents: Sequence[bytes]) -> None:
        numbers = []
        for _ in contents:
            self._number = self._number % _LAST + 1
            numbers.append(self._number)
        frames = [
            b"%d %s %d %s\n" % (number, command, len(content), content)
            for number, content in zip(numbers, contents, strict=True)
        ]
        assert self._socket is not None  # noqa: S101 - for mypy: who calls has connected
        self._socket.sendall(b"".join(frames))
        for expected in numbers:
            number, answer = self._answer()
            if number != expected or not answer.startswith(_TAKEN):
                raise ValueError(f"RELP: {answer[:80].decode('utf-8', 'replace')!r} to {command.decode()}")

    def _answer(self) -> tuple[int, bytes]:
        """Return number and content of the next answer.

        Raises:
            ValueError: The other side ends, or speaks something else.
        """
        number, command = self._word(), self._word()
        length = self._word()
        assert self._answers is not None  # noqa: S101 - for mypy
        content = self._answers.read(int(length)) if int(length) else b""
        if int(length) and self._answers.read(1) != b"\n":
            raise ValueError("RELP: a frame without an end")
        if command != b"rsp":
            raise ValueError(f"RELP: {command.decode('ascii', 'replace')}")
        return int(number), content

    def _word(self) -> bytes:
        """Read up to a space, or to the end of a frame without data."""
        found = b""
        assert self._answers is not None  # noqa: S101 - for mypy
        while (byte := self._answers.read(1)) not in {b" ", b"\n"}:
            if not byte or len(found) > 32:  # noqa: PLR2004 - the longest command
                raise ValueError("RELP: the connection was closed" if not byte else "RELP: no frame")
            found += byte
        return found
