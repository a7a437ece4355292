"""Routers' rules (v3 syntax): matchers, `&&`, `||`, `!` and brackets."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from double.requests import Request

Rule = Callable[["Request"], bool]
_PARTS = re.compile(r"\s*(?:(&&|\|\||!|\(|\)|,)|([A-Za-z]+)(?=\()|`([^`]*)`|\"([^\"]*)\")")


def parsed(text: str) -> Rule:
    """Return the rule that a text means.

    Raises:
        ValueError: It is none.
    """
    found = _Parser(text)
    rule = found.either()
    if found.left:
        raise ValueError(f"error while parsing rule {text}: {found.left[0]} is one too many")
    return rule


class _Parser:
    def __init__(self, text: str) -> None:
        self.left: list[tuple[str, str]] = []
        place = 0
        while text[place:].strip():
            match = _PARTS.match(text, place)
            if match is None:
                raise ValueError(f"error while parsing rule {text}: {text[place:]!r}")
            kind = "sign" if match[1] else "name" if match[2] else "value"
            self.left.append((kind, next(part for part in match.groups() if part is not None)))
            place = match.end()

    def take(self, *wanted: str) -> str:
        if not self.left or (wanted and self.left[0][1] not in wanted):
            raise ValueError(f"error while parsing rule: {wanted} expected, not {self.left[:1]}")
        return self.left.pop(0)[1]

    def next(self, sign: str) -> bool:
        return bool(self.left) and self.left[0] == ("sign", sign)

    def either(self) -> Rule:
        rules = [self.both()]
        while self.next("||"):
            self.take()
            rules.append(self.both())
        return lambda request: any(rule(request) for rule in rules)

    def both(self) -> Rule:
        rules = [self.one()]
        while self.next("&&"):
            self.take()
            rules.append(self.one())
        return lambda request: all(rule(request) for rule in rules)

    def one(self) -> Rule:
        if self.next("!"):
            self.take()
            rule = self.one()
            return lambda request: not rule(request)
        if self.next("("):
            self.take()
            rule = self.either()
            self.take(")")
            return rule
        name, values = self.take(), []
        self.take("(")
        while not self.next(")"):
            if self.next(","):
                self.take()
            values.append(self.take())
        self.take(")")
        return _matcher(name, values)


def _matcher(name: str, values: Sequence[str]) -> Rule:
    if name not in MATCHERS:
        raise ValueError(f"error while parsing rule: unsupported function: {name}")
    count, build = MATCHERS[name]
    if len(values) != count:
        raise ValueError(f"error while parsing rule: unexpected number of parameters for {name}")
    return build(*values)


def _host(name: str) -> Rule:
    if name == "*":
        return lambda _: True
    return lambda request: request.host.lower().rstrip(".") == name.lower().rstrip(".")


def _path(path: str) -> Rule:
    _absolute(path)
    return lambda request: request.path == path


def _path_prefix(path: str) -> Rule:
    _absolute(path)
    return lambda request: request.path.startswith(path)


def _absolute(path: str) -> None:
    if not path.startswith("/"):
        raise ValueError(f"path {path!r} does not start with a '/'")


def _method(method: str) -> Rule:
    return lambda request: request.method == method.upper()


def _header_regexp(name: str, expression: str) -> Rule:
    found = re.compile(expression)
    return lambda request: any(found.search(value) for value in request.headers.all(name))


def _client_ip(network: str) -> Rule:
    known = ipaddress.ip_network(network)
    return lambda request: ipaddress.ip_address(request.remote[0]) in known


MATCHERS: dict[str, tuple[int, Callable[..., Rule]]] = {
    "Host": (1, _host),
    "Path": (1, _path),
    "PathPrefix": (1, _path_prefix),
    "Method": (1, _method),
    "HeaderRegexp": (2, _header_regexp),
    "ClientIP": (1, _client_ip),
}
