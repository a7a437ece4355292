"""What happens to requests and answers: headers, lists of networks, limits, the proxy's own answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rackwright.edge.answers import COMPRESSED, NOT_BELIEVED
from rackwright.edge.traefik.routers import FILES, METRICS, PROXIED, SAID, numbered

Settings = Mapping[str, Any]
Named = Iterator[tuple[str, dict[str, Any]]]
# Of an address that may not, and of a closed site: statuses that no service of ours answers with. So `errors`
# tells the proxy's own refusals from a service's 403 or 503, which pass as they are.
_REFUSED, _CLOSED = 418, 508
_POLICIES = {
    "json": "default-src 'none'; frame-ancestors 'none'",
    "site": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; object-src 'none'; frame-ancestors 'none'"
    ),
    "page": "frame-ancestors 'self'",
}
# A list of networks may not be empty, and nobody comes from here.
_NOBODY = "255.255.255.255/32"
_LIMITS = {"api": ("api", "api"), "chat": ("api", "chat"), "model": ("model", "model")}
# Requests that come at one time take turns together, so one may get to an instance that is away again and
# again until a check has seen it: of two, one in a thousand. What was begun to be sent is not sent again.
_ATTEMPTS = 10


def middlewares(settings: Settings) -> dict[str, Any]:
    """Return every middleware by its name."""
    found = dict(_headers(settings))
    found |= _answers()
    found |= _sources(settings)
    found |= {
        "compress": {
            "compress": {
                "encodings": ["gzip"],
                "includedContentTypes": list(COMPRESSED),
                "minResponseBodyBytes": 1024,
            }
        },
        # Seen whole, and counted, before it is passed on.
        "counted": {"buffering": {"maxRequestBodyBytes": int(settings["upload_limit_mb"]) << 20}},
        "retry": {"retry": {"attempts": _ATTEMPTS}},
    }
    port = str(settings["listen"]["https"]["port"])
    found["to-https"] = {"redirectScheme": {"scheme": "https", "port": port, "permanent": True}}
    if settings["metrics_callers"]:
        found[METRICS] = {"ipAllowList": {"sourceRange": list(settings["metrics_callers"])}}
    return found


def _headers(settings: Settings) -> Named:
    for kind, policy in _POLICIES.items():
        answered = {
            "Strict-Transport-Security": f"max-age={settings['hsts_seconds']}; includeSubDomains",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "X-Frame-Options": "SAMEORIGIN" if kind == "page" else "DENY",
            "Content-Security-Policy": policy,
            # Empty: taken away.
            "Server": "",
        }
        yield f"headers-{kind}", {"headers": {"customResponseHeaders": answered}}
    # What a client says of itself is worth nothing to a service's limits and audit; Traefik sets the others.
    yield "not-believed", _without(*NOT_BELIEVED, "X-Request-Id", "Http2-Settings")
    # An upgrade to HTTP/2 behind our back would carry requests past the rules.
    yield "no-upgrade", _without("Upgrade")
    if settings["trusted_proxies"]:
        yield "proxied", _without("X-Real-Ip")
    if settings["cors_origins"]:
        allowed = {
            "accessControlAllowOriginList": list(settings["cors_origins"]),
            "accessControlAllowMethods": ["GET", "POST", "DELETE", "OPTIONS"],
            "accessControlAllowHeaders": ["Authorization", "Content-Type"],
            "addVaryHeader": True,
        }
        yield "cors", {"headers": allowed}


def _without(*names: str) -> dict[str, Any]:
    return {"headers": {"customRequestHeaders": dict.fromkeys(names, "")}}


def _answers() -> Named:
    """Yield what puts an answer of ours in the place of a refusal, and what asks for one."""
    for name, path in (("said", "/said/{status}"), ("said-page", "/said/page/{status}")):
        replaced = {
            "status": [str(_REFUSED), str(_CLOSED)],
            "statusRewrites": {str(_REFUSED): 403, str(_CLOSED): 503},
            "service": FILES,
            "query": path,
            "errorRequestHeaders": ["Accept"],
        }
        yield name, {"errors": replaced}
    for what in SAID:
        yield f"say-{what}", {"replacePath": {"path": f"/said/{what}"}}


def _sources(settings: Settings) -> Named:
    """Yield what looks at addresses: once for clients that connect, once for those behind a proxy of ours."""
    strategies: list[tuple[str, dict[str, Any]]] = [("", {"depth": 0})]
    if settings["trusted_proxies"]:
        strategies.append((PROXIED, {"excludedIPs": list(settings["trusted_proxies"])}))
    closed = settings["maintenance"]
    for suffix, strategy in strategies:
        if closed.get("enabled"):
            yield f"closed{suffix}", _allow(closed.get("except") or [_NOBODY], _CLOSED, strategy)
        for number, route in numbered(settings):
            yield f"allow-{number}{suffix}", _allow(route["networks"], _REFUSED, strategy)
        source = {"sourceCriterion": {"ipStrategy": strategy}}
        for name, (rate, burst) in _LIMITS.items():
            # As nginx counts: beyond the one that is due, so many more are let through at once.
            bucket = {
                "average": int(settings[f"{rate}_rate"]),
                "period": "1s",
                "burst": int(settings[f"{burst}_burst"]) + 1,
            }
            yield f"limit-{name}{suffix}", {"rateLimit": bucket | source}
        most = int(settings["connections_per_address"])
        yield f"at-a-time{suffix}", {"inFlightReq": {"amount": most} | source}


def _allow(networks: Sequence[str], status: int, strategy: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ipAllowList": {
            "sourceRange": list(networks),
            "rejectStatusCode": status,
            "ipStrategy": dict(strategy),
        }
    }
