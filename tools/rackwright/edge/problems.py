"""What is wrong with the settings of the edge's proxy, whichever it is, before any host is touched.

The proxies' roles have the same variables, each under its own name (`nginx_sites`, `traefik_sites`).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

from rackwright.edge.wording import number_problems, problem

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")
_URL = re.compile(r"https?://[0-9a-f.:\[\]]+(/\S*)?")
_UPSTREAM = re.compile(r"[a-z][a-z0-9_]*")
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")
_HIGHEST_PORT = 65535
# Least and most, and what to write.
_NUMBERS = {
    "api_rate": (1, 100_000, 100),
    "api_burst": (0, 100_000, 100),
    "chat_burst": (0, 100_000, 20),
    "model_rate": (1, 100_000, 10),
    "model_burst": (0, 100_000, 10),
    "connections_per_address": (1, 100_000, 256),
    "upload_limit_mb": (1, 10_240, 50),
    "header_timeout": (1, 600, 15),
    "body_timeout": (1, 3_600, 30),
    "request_timeout": (1, 3_600, 120),
    "connect_timeout": (1, 600, 75),
    "read_timeout": (1, 86_400, 300),
    "hsts_seconds": (0, 63_072_000, 31_536_000),
    "workers": (0, 1_024, 0),
    "worker_connections": (64, 1_000_000, 4_096),
    "threads": (0, 64, 0),
    "connections": (64, 10_000_000, 4_096),
    "renew_days": (1, 365, 30),
    "open_files": (128, 10_000_000, 8_704),
    "status_port": (0, _HIGHEST_PORT, 0),
}


def _numbers(settings: Mapping[str, Any]) -> Iterator[str]:
    return number_problems(settings, _NUMBERS)


def _files(settings: Mapping[str, Any]) -> Iterator[str]:
    """Each connection may have one to an upstream beside it; too few files would refuse users at the peak."""
    for name in ("worker_connections", "connections"):
        files, connections = str(settings.get("open_files")), str(settings.get(name))
        if files.isdecimal() and connections.isdecimal() and int(files) < 2 * int(connections):
            rule = f"too few for {connections} {name}, which need two each"
            yield problem("open_files", files, rule, f"at least {2 * int(connections)}")


def _networks(settings: Mapping[str, Any]) -> Iterator[str]:
    given = [("trusted_proxies", settings.get("trusted_proxies", []))]
    given += [
        (f"sites.{site.get('name')}{route.get('path')}.networks", route.get("networks") or [])
        for site in settings.get("sites", [])
        for route in site.get("routes") or []
    ]
    maintenance = settings.get("maintenance") or {}
    given.append(("maintenance.except", maintenance.get("except") or []))
    for variable, values in given:
        for value in values:
            try:
                ipaddress.ip_network(str(value))
            except ValueError as error:
                yield problem(variable, value, f"is no network ({error})", "for example 10.0.0.0/8")
    for value in settings.get("trusted_proxies", []):
        if str(value).endswith("/0"):
            rule = "every client could claim any address and pass the allowlist"
            yield problem("trusted_proxies", value, rule, "the addresses of your own load balancers")


def _listening(settings: Mapping[str, Any]) -> Iterator[str]:
    for name, listen in settings.get("listen", {}).items():
        variable, port = f"listen.{name}", listen.get("port")
        try:
            ipaddress.ip_address(str(listen.get("address")))
        except ValueError:
            yield problem(
                f"{variable}.address", listen.get("address"), "is no IP address", "the host's zone address"
            )
        if not str(port).isdecimal() or not 0 < int(port) <= _HIGHEST_PORT:
            yield problem(f"{variable}.port", port, "is no port", "a number from 1 to 65535")


def _sites(settings: Mapping[str, Any]) -> Iterator[str]:
    domain = settings.get("domain")
    if domain is not None and not all(_LABEL.fullmatch(label) for label in str(domain).split(".")):
        yield problem("domain", domain, "is no domain in lower case", "for example example.internal")
    upstreams = settings.get("upstreams", {})
    sites = settings.get("sites", [])
    names = [site.get("name") for site in sites]
    for site in sites:
        name = site.get("name")
        if not _LABEL.fullmatch(str(name)):
            yield problem("sites", name, "is no host name", "the first label only, for example api")
        if names.count(name) > 1:
            yield problem("sites", name, "is there twice", "each name once")
        if site.get("client_certificate") and not settings.get("client_authority"):
            rule = f"{name} asks for clients' certificates, and none could be verified"
            yield problem("client_authority", "", rule, "the PEM text of their authority")
        yield from _routes(str(name), site.get("routes") or [], upstreams)


def _routes(site: str, routes: list[Mapping[str, Any]], upstreams: Mapping[str, Any]) -> Iterator[str]:
    places = [(route.get("path"), bool(route.get("exact"))) for route in routes]
    for route in routes:
        path, upstream = str(route.get("path")), route.get("upstream")
        variable = f"sites.{site}"
        if not _PATH.fullmatch(path):
            yield problem(variable, path, "is no path", "for example /api/")
        if places.count((route.get("path"), bool(route.get("exact")))) > 1:
            yield problem(variable, path, "is there twice", "each path once")
        if upstream not in upstreams:
            known = ", ".join(sorted(upstreams)) or "none"
            yield problem(variable, upstream, f"is no upstream ({known})", "one of those")


def _upstreams(settings: Mapping[str, Any]) -> Iterator[str]:
    for name, upstream in settings.get("upstreams", {}).items():
        variable = f"upstreams.{name}"
        if not _UPSTREAM.fullmatch(str(name)):
            yield problem("upstreams", name, "must be of a-z, 0-9 and _", "for example app")
        servers = upstream.get("servers") or []
        if not servers:
            rule = "nothing would answer"
            yield problem(
                f"{variable}.servers", servers, rule, "at least one host into the service's inventory group"
            )
        for server in servers:
            try:
                ipaddress.ip_address(str(server.get("address")))
            except ValueError:
                yield problem(
                    f"{variable}.servers", server, "has no IP address", "{address: 192.0.2.1, port: 3001}"
                )


def _origins(settings: Mapping[str, Any]) -> Iterator[str]:
    for origin in settings.get("cors_origins", []):
        if not _ORIGIN.fullmatch(str(origin)):
            rule = "is no origin (* is not allowed: the API takes tokens)"
            yield problem("cors_origins", origin, rule, "for example https://portal.example.internal")


def _authorities(settings: Mapping[str, Any]) -> Iterator[str]:
    texts = {name: settings.get(name) for name in ("client_authority", "authority")}
    for variable, text in texts.items():
        if text and "-----BEGIN CERTIFICATE-----" not in text:
            yield problem(variable, str(text)[:40], "holds no certificate", "the text of a PEM file")
    server, responder = (str(settings.get(name) or "") for name in ("server", "ocsp_responder"))
    if "server" in settings and not re.fullmatch(r"https?://[^\s\"$`\\]+", server):
        yield problem(
            "server",
            server,
            "is no URL",
            "for example https://acme.example.internal/directory",
        )
    if re.search(r"[\s\"$`\\]", str(settings.get("email") or "")):
        yield problem("email", settings["email"], "is no address", "for example ops@example.internal")
    if responder and not _URL.fullmatch(responder):
        rule = "is no URL with an address (hosts ask no resolver)"
        yield problem("ocsp_responder", responder, rule, "for example http://10.0.0.5/ocsp")


_CHECKS = (_numbers, _files, _networks, _listening, _sites, _upstreams, _origins, _authorities)


def problems(role: str, settings: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a role's variables, one sentence for each; empty when all is well.

    Args:
        role: The role's name, with which its variables begin.
        settings: The role's variables by name; one that is missing is not looked at.
    """
    mine = {name.removeprefix(f"{role}_"): value for name, value in settings.items()}
    return [f"{role}_{found}" for check in _CHECKS for found in check(mine)]
