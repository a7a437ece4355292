"""What Traefik's configuration must not say, where it is an edge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rackwright.audit.model import Weakness

_OLD = frozenset({"VersionSSL30", "VersionTLS10", "VersionTLS11"})
_CERTIFIED = "RequireAndVerifyClientCert"
_ENCODED = ("allowEncodedSlash", "allowEncodedBackSlash", "allowEncodedNullCharacter")
_EVERYBODY = "/0"
# Its own services that change it or tell of it.
_OWN = frozenset(f"{name}@internal" for name in ("api", "dashboard", "prometheus", "rest"))
Tree = Mapping[str, Any]


def weaknesses(static: Tree, dynamic: Tree) -> Iterator[Weakness]:
    """Yield what Traefik is told that an edge must not be.

    Args:
        static: traefik.yml.
        dynamic: What its file provider reads.
    """
    for path, value in [*_leaves(static), *_leaves(dynamic)]:
        key = path.rpartition(".")[2]
        if key in {"minVersion", "maxVersion"} and value in _OLD:
            yield Weakness("tls_versions", f"{path}: {value}")
        if key == "insecureSkipVerify" and value:
            yield Weakness("verification", path)
    yield from _administration(static, dynamic)
    serving = _serving(dynamic)
    for name, entry in (static.get("entryPoints") or {}).items():
        yield from _believed(f"entryPoints.{name}", entry or {})
        if name in serving:
            yield from _spellings(f"entryPoints.{name}.http", (entry or {}).get("http") or {})
    yield from _calls(static)


def _leaves(tree: object, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(tree, list):
        for number, value in enumerate(tree):
            yield from _leaves(value, f"{path}.{number}")
    else:
        yield path, tree


def _routers(dynamic: Tree) -> Mapping[str, Tree]:
    return (dynamic.get("http") or {}).get("routers") or {}


def _internal(router: Tree) -> bool:
    return str(router.get("service")) in _OWN


def _serving(dynamic: Tree) -> set[str]:
    """Return the entry points by which services are reached over TLS."""
    routers = [router for router in _routers(dynamic).values() if "tls" in router and not _internal(router)]
    return {name for router in routers for name in router.get("entryPoints") or ()}


def _administration(static: Tree, dynamic: Tree) -> Iterator[Weakness]:
    if "api" in static:
        yield Weakness("administration", "api")
    if "rest" in (static.get("providers") or {}):
        yield Weakness("administration", "providers.rest")
    prometheus = (static.get("metrics") or {}).get("prometheus")
    if prometheus is not None and not prometheus.get("manualRouting"):
        yield Weakness("administration", "metrics.prometheus: numbers for whoever asks")
    options = (dynamic.get("tls") or {}).get("options") or {}
    for name, router in _routers(dynamic).items():
        if not _internal(router):
            continue
        asked = options.get((router.get("tls") or {}).get("options"), {}).get("clientAuth") or {}
        if asked.get("clientAuthType") != _CERTIFIED:
            yield Weakness("administration", f"http.routers.{name}: {router['service']} for whoever asks")


def _believed(path: str, entry: Tree) -> Iterator[Weakness]:
    for key in ("forwardedHeaders", "proxyProtocol"):
        said = entry.get(key) or {}
        everybody = [network for network in said.get("trustedIPs") or [] if network.endswith(_EVERYBODY)]
        if said.get("insecure") or everybody:
            yield Weakness("client_address", f"{path}.{key}: {', '.join(everybody) or 'insecure'}")


def _spellings(path: str, http: Tree) -> Iterator[Weakness]:
    """Yield what of a path is passed on as it was not compared; some releases do so unless told not to."""
    said = http.get("encodedCharacters") or {}
    if passed := [key for key in _ENCODED if said.get(key) is not False]:
        yield Weakness("broken_requests", f"{path}.encodedCharacters: {', '.join(passed)}")
    if http.get("sanitizePath") is False:
        yield Weakness("broken_requests", f"{path}.sanitizePath: false")


def _calls(static: Tree) -> Iterator[Weakness]:
    said = static.get("global") or {}
    if said.get("checkNewVersion", True):
        yield Weakness("calls_out", "global.checkNewVersion")
    if said.get("sendAnonymousUsage"):
        yield Weakness("calls_out", "global.sendAnonymousUsage")
    if (static.get("experimental") or {}).get("plugins"):
        yield Weakness("calls_out", "experimental.plugins: fetched at every start")
