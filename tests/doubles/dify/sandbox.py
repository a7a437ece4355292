"""A double of Dify's sandbox: it runs nothing, and tries what its network lets it reach."""

from __future__ import annotations

import os
import socket
import ssl
import urllib.error
import urllib.request

from common import Handler, Json, RefusedError, serve
from release import check


class Sandbox(Handler):
    """Its API."""

    def allowed(self, path: str) -> None:
        """Let in who has the key."""
        if path.startswith("/v1/") and self.headers.get("X-Api-Key") != os.environ["API_KEY"]:
            raise RefusedError(401, {"code": -401, "message": "Unauthorized", "data": None})


def _run(_: Handler, body: Json) -> Json:
    """Try a URL through the proxy, or `address:port` without it: what code in a sandbox would try."""
    target = body["code"]
    try:
        if "://" in target:
            proxies = urllib.request.ProxyHandler(
                {"http": os.environ["HTTP_PROXY"], "https": os.environ["HTTPS_PROXY"]}
            )
            anybody = urllib.request.HTTPSHandler(context=ssl._create_unverified_context())  # noqa: S323
            with urllib.request.build_opener(proxies, anybody).open(target, timeout=5) as answer:
                said = f"reached {answer.status}"
        else:
            host, _, port = target.partition(":")
            socket.create_connection((host, int(port)), 3).close()
            said = "reached"
    except urllib.error.HTTPError as error:
        said = f"refused {error.code}"
    except OSError as error:
        said = f"failed {error}"
    return {"code": 0, "message": "success", "data": {"stdout": said, "error": ""}}


Sandbox.routes = {("GET", "/health"): lambda *_: {"status": "ok"}, ("POST", "/v1/sandbox/run"): _run}

if __name__ == "__main__":
    check("sandbox", os.environ)
    serve(Sandbox, int(os.environ["SANDBOX_PORT"]))
