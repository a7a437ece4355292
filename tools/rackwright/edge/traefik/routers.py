"""Which request goes where, by rules: a router for each route, and for each way in which one differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rackwright.edge.traefik.lengths import longer_than

Settings = Mapping[str, Any]
Router = dict[str, Any]
# Entry points of the static configuration.
HTTP, HTTPS, METRICS = "http", "https", "metrics"
# The service that serves files and says what the proxy says itself; what it is asked for.
FILES = "files"
SAID = ("404", "413", "421", "health")
# Of middlewares, for clients behind a proxy of ours; of the TLS of sites that ask for a certificate.
PROXIED = "-proxied"
CERTIFIED = "certified"
_WITH_BODY = ("POST", "PUT", "PATCH")
_CHALLENGES = "/.well-known/acme-challenge/"
_HEALTH = "/health"


def routers(settings: Settings) -> dict[str, Router]:
    """Return every router by its name. Priorities are explicit: the first that is given here counts most."""
    found = [*_plain(settings), *_encrypted(settings)]
    if settings["metrics_callers"]:
        found.append((METRICS, _metrics()))
    return {name: router | {"priority": len(found) - place} for place, (name, router) in enumerate(found)}


def numbered(settings: Settings) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each route with what it is called: its site and its place there."""
    for site in settings["sites"]:
        for place, route in enumerate(site["routes"], 1):
            yield f"{site['name']}-{place}", route


def upgraded(name: str) -> str:
    """Return the rule for a request that wants to become what a header names."""
    return f"HeaderRegexp(`Upgrade`, `(?i)^{name}$`)"


def _plain(settings: Settings) -> Iterator[tuple[str, Router]]:
    """Yield what is answered without TLS: the way to it, an ACME server's question, and nothing else."""
    names = [f"{site['name']}.{settings['domain']}" for site in settings["sites"]]
    if names:
        ours = " || ".join(f"Host(`{name}`)" for name in names)
        if settings["challenges"]:
            rule = f"({ours}) && PathPrefix(`{_CHALLENGES}`)"
            yield "challenges", {"entryPoints": [HTTP], "rule": rule, "service": FILES}
        redirect = {"rule": ours, "middlewares": ["to-https"], "service": "noop@internal"}
        yield "to-https", {"entryPoints": [HTTP], **redirect}
    unknown = {"rule": "PathPrefix(`/`)", "middlewares": ["say-421"], "service": FILES}
    yield "unknown-http", {"entryPoints": [HTTP], **unknown}


def _encrypted(settings: Settings) -> Iterator[tuple[str, Router]]:
    for site in settings["sites"]:
        for name, router in _site(settings, site):
            tls = {"options": CERTIFIED} if site.get("client_certificate") else {}
            yield f"{site['name']}-{name}", {"entryPoints": [HTTPS], "tls": tls, **router}
    rule = "PathPrefix(`/`)"
    unknown = {"rule": rule, "middlewares": ["headers-json", "say-421"], "service": FILES}
    yield "unknown-https", {"entryPoints": [HTTPS], "tls": {}, **unknown}


def _site(settings: Settings, site: Mapping[str, Any]) -> Iterator[tuple[str, Router]]:
    host = f"Host(`{site['name']}.{settings['domain']}`)"
    page = bool(site.get("page"))
    limit = int(settings["upload_limit_mb"]) << 20
    rule = f"{host} && HeaderRegexp(`Content-Length`, `{longer_than(limit)}`)"
    yield "too-large", {"rule": rule, "middlewares": ["headers-json", "say-413"], "service": FILES}
    for place, route in enumerate(site["routes"], 1):
        yield from _route(settings, f"{site['name']}-{place}", place, host, route)
    if not any(route["path"] == _HEALTH for route in site["routes"]):
        rule = f"{host} && Path(`{_HEALTH}`)"
        asked = ["headers-json", "say-health"]
        yield "health", {"rule": rule, "middlewares": asked, "service": FILES} | _quiet()
    if page:
        rule = f"{host} && Path(`/edge.css`)"
        yield "style", {"rule": rule, "middlewares": ["headers-site"], "service": FILES} | _quiet()
    shown = ["headers-site", "said-page"] if page else ["headers-json", "said"]
    for suffix, condition in _sources(settings):
        chain = [*shown, *_closing(settings, suffix), *(["compress"] if page else ["say-404"])]
        yield f"rest{suffix}", {"rule": f"{host}{condition}", "middlewares": chain, "service": FILES}


def _route(
    settings: Settings, name: str, place: int, host: str, route: Mapping[str, Any]
) -> Iterator[tuple[str, Router]]:
    """Yield a route's routers, the narrower first."""
    matcher = "Path" if route.get("exact") else "PathPrefix"
    rule = f"{host} && {matcher}(`{route['path']}`)"
    quiet = {} if route.get("log", True) else _quiet()
    # The way, what its rule has beside the route's, what is done to it.
    ways: list[tuple[str, str, list[str]]] = []
    if route.get("websocket"):
        ways.append(("-upgrade", f" && {upgraded('websocket')}", []))
    # Nothing says how long it is. Only a body that is held back can be counted, so only those that have none
    # of their own can be streams.
    methods = " || ".join(f"Method(`{method}`)" for method in _WITH_BODY)
    unmeasured = f" && ({methods}) && !HeaderRegexp(`Content-Length`, `.`)"
    ways += [("-unmeasured", unmeasured, ["no-upgrade", "counted"]), ("", "", ["no-upgrade"])]
    for way, further, done in ways:
        for suffix, condition in _sources(settings):
            chain = [*_chain(settings, name, route, suffix), *done, "compress", "retry"]
            routed = {"rule": f"{rule}{further}{condition}", "middlewares": chain}
            yield f"{place}{way}{suffix}", routed | {"service": route["upstream"]} | quiet


def _chain(settings: Settings, name: str, route: Mapping[str, Any], suffix: str) -> list[str]:
    limit = route.get("limit", "api")
    # A site that is closed still answers who asks after its health.
    closing = [] if route["path"] == _HEALTH else _closing(settings, suffix)
    return [
        "headers-page" if route.get("page") else "headers-json",
        "said",
        *closing,
        f"allow-{name}{suffix}",
        f"at-a-time{suffix}",
        *([f"limit-{limit}{suffix}"] if limit != "none" else []),
        *(["cors"] if settings["cors_origins"] else []),
        "not-believed",
        *(["proxied"] if suffix else []),
    ]


def _closing(settings: Settings, suffix: str) -> list[str]:
    return [f"closed{suffix}"] if settings["maintenance"].get("enabled") else []


def _sources(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield what tells clients behind a proxy of ours from those that connect themselves, the latter last."""
    if settings["trusted_proxies"]:
        ours = " || ".join(f"ClientIP(`{network}`)" for network in settings["trusted_proxies"])
        yield PROXIED, f" && ({ours})"
    yield "", ""


def _metrics() -> Router:
    return {
        "entryPoints": [METRICS],
        "tls": {"options": METRICS},
        # Any name and none, so that the options hold for every handshake here: it is asked by its address.
        "rule": "Host(`*`) && Path(`/metrics`)",
        "middlewares": [METRICS],
        "service": "prometheus@internal",
    }


def _quiet() -> Router:
    return {"observability": {"accessLogs": False}}
