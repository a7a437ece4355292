"""One kept HTTPS connection to whichever of the store's addresses answers."""

from __future__ import annotations

import base64
import gzip
import http.client
import ssl
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from rackwright.logs.agent.wire import UndeliveredError

_COMPRESS_FROM = 1024


class Client:
    """Sends requests; an address that does not answer gives way to the next one."""

    def __init__(
        self,
        urls: Sequence[str],
        authority: str,
        user: str = "",
        password: str = "",
        timeout: float = 30,
        *,
        compress: bool = True,
    ) -> None:
        self._urls = list(urls)
        self._compress = compress
        self._context = ssl.create_default_context(cafile=authority) if authority else None
        self._timeout = timeout
        self._connection: http.client.HTTPConnection | None = None
        self._headers = {}
        if user:
            token = base64.b64encode(f"{user}:{password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {token}"

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Return status and content of the answer to a POST."""
        return self.request("POST", path, body, headers)

    def request(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Return status and content of the answer.

        Raises:
            UndeliveredError: No address answers.
        """
        sent = {**self._headers, **headers}
        if self._compress and len(body) >= _COMPRESS_FROM:
            body = gzip.compress(body, 1)
            sent["Content-Encoding"] = "gzip"
        reasons = []
        for _ in self._urls:
            try:
                connection = self._connected()
                connection.request(method, urlsplit(self._urls[0]).path.rstrip("/") + path, body, sent)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException) as error:
                reasons.append(f"{self._urls[0]}: {error or type(error).__name__}")
                self.close()
                self._urls.append(self._urls.pop(0))
        raise UndeliveredError("; ".join(reasons))

    def close(self) -> None:
        """Close the connection; the next request opens one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            url = urlsplit(self._urls[0])
            host = url.hostname or ""
            if url.scheme == "https":
                self._connection = http.client.HTTPSConnection(
                    host, url.port or 443, timeout=self._timeout, context=self._context
                )
            else:
                self._connection = http.client.HTTPConnection(host, url.port or 80, timeout=self._timeout)
        return self._connection
