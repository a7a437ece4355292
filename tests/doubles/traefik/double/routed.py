"""The dynamic configuration in force: what is built of it, and what is wrong with each part of it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from typing import Any

from double.behind import Balancer, Failover, Transport, Up
from double.chain import Handler, Services, WrongError
from double.middlewares import BUILT
from double.requests import Request
from double.rules import Rule, parsed
from double.wire import Answer, say

_SUITES = {"AES_128_GCM_SHA256": "AES128-GCM-SHA256", "AES_256_GCM_SHA384": "AES256-GCM-SHA384"}
_SUITES["CHACHA20_POLY1305_SHA256"] = _SUITES["CHACHA20_POLY1305"] = "CHACHA20-POLY1305"
_VERSIONS = {"VersionTLS12": ssl.TLSVersion.TLSv1_2, "VersionTLS13": ssl.TLSVersion.TLSv1_3}


class Router:
    """One router that is in force."""

    def __init__(self, name: str, settings: Mapping[str, Any], rule: Rule, handler: Handler) -> None:
        self.name, self.rule, self.handler = name, rule, handler
        self.entry_points = list(settings.get("entryPoints") or [])
        self.priority = int(settings.get("priority") or len(settings["rule"]))
        tls = settings.get("tls")
        self.encrypted = tls is not None
        self.options = str((tls or {}).get("options") or "default")
        self.logged = (settings.get("observability") or {}).get("accessLogs", True)


class Routed:
    """Routers, services and TLS of one configuration."""

    def __init__(self, tree: Mapping[str, Any], internal: Services, entry_points: list[str], up: Up) -> None:
        http, tls = tree.get("http") or {}, tree.get("tls") or {}
        self.told: dict[str, dict[str, Any]] = {"routers": {}, "services": {}, "middlewares": {}}
        self.tasks: list[asyncio.Task[None]] = []
        self._internal, self._entry_points, self._up = dict(internal), entry_points, up
        self.options: dict[str, Mapping[str, Any]] = {"default": {}, **(tls.get("options") or {})}
        self.certificates = self._certificates(tls)
        self.services = self._services(http)
        self._chain = self._middlewares(http)
        self.routers = self._routers(http)
        self.contexts: dict[tuple[str, str], ssl.SSLContext] = {}

    def watch(self) -> None:
        """Begin to ask the servers whether they work."""
        found = {
            id(each): each for each in self.services.values() if isinstance(each, Balancer) and each.check
        }
        self.tasks = [asyncio.create_task(each.watch()) for each in found.values()]

    def stop(self) -> None:
        for task in self.tasks:
            task.cancel()

    def router(self, entry_point: str, request: Request) -> Router | None:
        """Return the router for a request, by priority."""
        for router in self.routers:
            here = not router.entry_points or entry_point in router.entry_points
            if here and router.encrypted == bool(request.tls) and router.rule(request):
                return router
        return None

    def options_of(self, entry_point: str, name: str) -> str:
        """Return the TLS options for a name: of the router whose rule has it as its host, or any host."""
        for host in (name, "*"):
            for router in self.routers:
                here = router.encrypted and entry_point in router.entry_points
                if here and f"Host(`{host}`)" in self._texts[router.name]:
                    return router.options
        return "default"

    def context(self, entry_point: str, name: str, address: str) -> tuple[ssl.SSLContext, str] | None:
        """Return how a handshake for a name is done; None where there is no certificate and none is made up.

        Args:
            entry_point: Where it is done.
            name: The name that is asked for; empty for none, and then the address counts.
            address: The host's own, of the connection.
        """
        options = self.options_of(entry_point, name)
        wanted = name or address
        # By their names, backwards: of two for one name it is always the same.
        known = sorted(self.certificates.items(), key=lambda item: sorted(item[1]), reverse=True)
        path = next((path for path, names in known if _covered(wanted, names)), None)
        if path is None:
            return None
        if (options, path) not in self.contexts:
            self.contexts[options, path] = self._made(self.options[options], path)
        return self.contexts[options, path], options

    @staticmethod
    def _made(options: Mapping[str, Any], path: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = _VERSIONS[options.get("minVersion") or "VersionTLS12"]
        if options.get("cipherSuites"):
            context.set_ciphers(":".join(_openssl(name) for name in options["cipherSuites"]))
        if options.get("disableSessionTickets"):
            context.options |= ssl.OP_NO_TICKET
        # No HTTP/2 here, whatever is offered.
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(path)
        asked = options.get("clientAuth") or {}
        for authority in asked.get("caFiles") or []:
            context.load_verify_locations(authority)
        if asked.get("clientAuthType") == "RequireAndVerifyClientCert":
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    @staticmethod
    def _certificates(tls: Mapping[str, Any]) -> dict[str, list[str]]:
        found = {}
        for entry in tls.get("certificates") or []:
            # One that cannot be read is told in the log, and the others serve.
            with contextlib.suppress(OSError, ssl.SSLError):
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(entry["certFile"], entry["keyFile"])
                decoded = ssl._ssl._test_decode_cert(entry["certFile"])  # type: ignore[attr-defined]
                found[entry["certFile"]] = [name for _, name in decoded.get("subjectAltName", ())]
        return found

    def _services(self, http: Mapping[str, Any]) -> dict[str, Handler]:
        transports = {"": Transport({})}
        found: dict[str, Handler] = dict(self._internal)
        for name, settings in (http.get("serversTransports") or {}).items():
            with contextlib.suppress(OSError):
                transports[name] = Transport(settings)
        # What stands on others comes after them.
        every = sorted((http.get("services") or {}).items(), key=lambda item: "failover" in item[1])
        for name, settings in every:
            try:
                if "loadBalancer" in settings:
                    balanced = settings["loadBalancer"]
                    transport = transports[balanced.get("serversTransport") or ""]
                    found[name] = Balancer(name, balanced, transport, self._up)
                else:
                    found[name] = Failover(settings["failover"], found)
            except (WrongError, KeyError) as error:
                self._say("services", name, f"the service cannot be made: {error}")
            else:
                self._say("services", name)
        return found

    def _middlewares(self, http: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for name, settings in (http.get("middlewares") or {}).items():
            try:
                # Of one type, and of one that the double knows.
                ((kind, values),) = settings.items()
                found[name] = BUILT[kind](values, self.services)
            except (WrongError, ValueError, KeyError) as error:
                self._say("middlewares", name, str(error))
            else:
                self._say("middlewares", name)
        return found

    def _routers(self, http: Mapping[str, Any]) -> list[Router]:
        found = []
        self._texts = {}
        for name, settings in (http.get("routers") or {}).items():
            try:
                found.append(self._router(name, settings))
                self._texts[name] = settings["rule"]
            except (WrongError, ValueError) as error:
                self._say("routers", name, str(error))
            else:
                self._say("routers", name)
        return sorted(found, key=lambda router: -router.priority)

    def _router(self, name: str, settings: Mapping[str, Any]) -> Router:
        for entry_point in settings.get("entryPoints") or []:
            if entry_point not in self._entry_points:
                raise WrongError(f"EntryPoint doesn't exist: {entry_point}")
        service = settings.get("service") or ""
        if service not in self.services:
            raise WrongError(f"the service {service!r} does not exist")
        options = (settings.get("tls") or {}).get("options") or "default"
        if options not in self.options:
            raise WrongError(f"building router TLS config: unknown TLS options: {options}@file")
        for suite in self.options[options].get("cipherSuites") or []:
            _openssl(suite)
        handler = self.services[service]
        for middleware in reversed(settings.get("middlewares") or []):
            if middleware not in self._chain:
                raise WrongError(f"middleware {middleware!r} does not exist")
            # Built for each router, so that limits are each router's own.
            handler = self._chain[middleware](handler)
        return Router(name, settings, parsed(settings["rule"]), handler)

    def _say(self, kind: str, name: str, error: str = "") -> None:
        entry: dict[str, Any] = {"status": "disabled" if error else "enabled"}
        if error:
            entry["error"] = [error]
        self.told[kind][f"{name}@file"] = entry


async def nothing(_: Request, answer: Answer) -> None:
    """What no router is for."""
    await say(answer, 404, "404 page not found\n")


def _openssl(name: str) -> str:
    exchange, signed, _, cipher = name.removeprefix("TLS_").split("_", 3)
    if cipher not in _SUITES:
        raise WrongError(f"invalid CipherSuite: {name}")
    return f"{exchange}-{signed}-{_SUITES[cipher]}"


def _covered(name: str, names: list[str]) -> bool:
    return name in names or f"*.{name.partition('.')[2]}" in names
