"""What is told of the traffic: the access log (JSON), metrics for Prometheus, the API's view."""

from __future__ import annotations

import json
import os
import time
from collections import Counter, deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from double.requests import Request
from double.wire import Answer, Headers, say

_VERSIONS = {"TLSv1.2": "1.2", "TLSv1.3": "1.3"}


class AccessLog:
    """A file, or a pipe, that is opened anew on SIGUSR1."""

    def __init__(self, settings: Mapping[str, Any] | None) -> None:
        self._settings = settings
        self._waiting: deque[bytes] = deque()
        self._file = -1
        self.reopen()

    def reopen(self) -> None:
        if self._settings is None:
            return
        if self._file >= 0:
            os.close(self._file)
        path = self._settings.get("filePath")
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o664) if path else os.dup(1)

    def note(self, request: Request, answer: Answer, began: float, seen: Headers) -> None:
        """Write one line."""
        if self._settings is None:
            return
        fields = self._settings.get("fields") or {}
        kept = (fields.get("queryParameters") or {}).get("defaultMode", "keep") == "keep"
        took = int((time.monotonic() - began) * 1e9)
        forwarded = seen.get("X-Forwarded-For")
        line = {
            "StartUTC": datetime.fromtimestamp(time.time() - took / 1e9, UTC)
            .isoformat()
            .replace("+00:00", "Z"),
            "Duration": took,
            "ClientAddr": f"{request.remote[0]}:{request.remote[1]}",
            "ClientHost": forwarded or request.remote[0],
            "RequestHost": request.host,
            "RequestMethod": request.method,
            "RequestPath": request.path + (f"?{request.query}" if kept and request.query else ""),
            "RequestProtocol": request.protocol,
            "RequestScheme": "https" if request.tls else "http",
            "RequestContentSize": request.body.size,
            "DownstreamStatus": answer.status,
            "DownstreamContentSize": answer.size,
            "OriginDuration": took if request.noted else 0,
            "OriginStatus": 0,
            **({"TLSVersion": _VERSIONS.get(request.tls, "")} if request.tls else {}),
            **request.noted,
        }
        for name, mode in ((fields.get("headers") or {}).get("names") or {}).items():
            if mode == "keep":
                for side, given in (("request", seen), ("downstream", answer.headers)):
                    if given.get(name):
                        line[f"{side}_{name}"] = given.get(name)
        os.write(self._file, (json.dumps(line) + "\n").encode())


class Metrics:
    """Counters and gauges by the names of Traefik's reference."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, str]] = Counter()
        self.open: Counter[str] = Counter()
        self.up: dict[tuple[str, str], bool] = {}
        self.reloads, self.reloaded = 0, 0.0

    def loaded(self) -> None:
        self.reloads, self.reloaded = self.reloads + 1, time.time()

    def text(self) -> str:
        lines = [
            "# TYPE traefik_config_reloads_total counter",
            f"traefik_config_reloads_total {self.reloads}",
            "# TYPE traefik_config_last_reload_success gauge",
            f"traefik_config_last_reload_success {self.reloaded}",
            "# TYPE traefik_open_connections gauge",
            *(
                f'traefik_open_connections{{entrypoint="{name}",protocol="TCP"}} {count}'
                for name, count in self.open.items()
            ),
            "# TYPE traefik_entrypoint_requests_total counter",
            *(
                f'traefik_entrypoint_requests_total{{code="{code}",entrypoint="{entry}",method="{method}"'
                f',protocol="http"}} {count}'
                for (entry, method, code), count in self.requests.items()
            ),
            "# TYPE traefik_service_server_up gauge",
            *(
                f'traefik_service_server_up{{service="{service}@file",url="{url}"}} {int(works)}'
                for (service, url), works in self.up.items()
            ),
        ]
        return "\n".join(lines) + "\n"

    async def __call__(self, _: Request, answer: Answer) -> None:
        """Answer whoever watches."""
        text = self.text()
        answer.headers.put("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        answer.headers.put("Content-Length", str(len(text.encode())))
        await answer.start(200)
        await answer.write(text.encode())


async def api(told: Mapping[str, Any], request: Request, answer: Answer) -> None:
    """Answer the API's question for everything that is configured."""
    if request.path != "/api/rawdata":
        await say(answer, 404, "404 page not found\n")
        return
    text = json.dumps(told)
    answer.headers.put("Content-Type", "application/json")
    answer.headers.put("Content-Length", str(len(text)))
    await answer.start(200)
    await answer.write(text.encode())
