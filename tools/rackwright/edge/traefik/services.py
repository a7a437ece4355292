"""What is behind the proxy: instances, how they are asked whether they work, and how they are spoken with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rackwright.edge.traefik.routers import FILES

Settings = Mapping[str, Any]
_STRATEGIES = {"least_conn": "wrr", "ip_hash": "hrw"}
# What answers for a service of which no instance works.
_AWAY = "away"


def services(settings: Settings) -> dict[str, Any]:
    """Return the services that routers name, each with its instances."""
    return {
        FILES: {"loadBalancer": {"servers": [{"url": settings["files"]}]}},
        # By another name than any site's: it is asked as such, and says 503 to everything.
        _AWAY: {"loadBalancer": {"servers": [{"url": settings["files"]}], "passHostHeader": False}},
        **dict(_upstreams(settings)),
    }


def transports(settings: Settings) -> dict[str, Any]:
    """Return how services are spoken with: by the names that their certificates must carry."""
    names = {upstream.get("tls_name") or "" for upstream in settings["upstreams"].values()}
    return {_transport(name): _spoken(settings, name) for name in sorted(names)}


def _upstreams(settings: Settings) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, upstream in settings["upstreams"].items():
        tls_name = upstream.get("tls_name") or ""
        balanced = {
            "strategy": _STRATEGIES[upstream.get("balance") or "least_conn"],
            "servers": [{"url": _url(server, bool(tls_name))} for server in upstream["servers"]],
            "serversTransport": _transport(tls_name),
        }
        path = upstream.get("health") or ""
        if not path:
            yield name, {"loadBalancer": balanced}
            continue
        asked = {"path": path, "interval": "5s", "unhealthyInterval": "1s", "timeout": "5s"}
        named = {"hostname": tls_name} if tls_name else {}
        yield f"{name}-instances", {"loadBalancer": balanced | {"healthCheck": asked | named}}
        yield name, {"failover": {"service": f"{name}-instances", "fallback": _AWAY}}


def _url(server: Mapping[str, Any], encrypted: bool) -> str:
    address = str(server["address"])
    host = f"[{address}]" if ":" in address else address
    return f"{'https' if encrypted else 'http'}://{host}:{server['port']}"


def _transport(tls_name: str) -> str:
    return tls_name.replace(".", "-") if tls_name else "plain"


def _spoken(settings: Settings, tls_name: str) -> dict[str, Any]:
    timeouts = {
        "dialTimeout": f"{settings['connect_timeout']}s",
        "responseHeaderTimeout": f"{settings['read_timeout']}s",
        "idleConnTimeout": "90s",
    }
    spoken: dict[str, Any] = {"maxIdleConnsPerHost": 32, "forwardingTimeouts": timeouts}
    if tls_name:
        trusted = {"serverName": tls_name, "rootCAs": [settings["ca"]], "minVersion": "VersionTLS12"}
        # A service of ours speaks HTTP/1.1, and a WebSocket needs it.
        spoken |= trusted | {"disableHTTP2": True}
    return spoken
