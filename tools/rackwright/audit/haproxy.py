"""What HAProxy's configuration must not say, where it is an edge."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from rackwright.audit.model import Weakness

_SECTIONS = frozenset(
    {"global", "defaults", "frontend", "backend", "listen", "peers", "resolvers", "userlist", "cache", "ring"}
    | {"mailers", "http-errors", "fcgi-app", "log-forward", "log-profile", "program", "crt-store", "traces"}
)
_OLD = frozenset({"SSLv3", "TLSv1.0", "TLSv1.1"})
_FORCED = frozenset({"force-sslv3", "force-tlsv10", "force-tlsv11"})
_STATISTICS = frozenset({"enable", "uri", "admin", "auth", "realm"})
_LAX = frozenset({"accept-invalid-http-request", "accept-unsafe-violations-in-http-request"})
_FORWARDED = "x-forwarded-for"


@dataclass(frozen=True)
class _Line:
    """One line: its number, the section that it stands in by number, its words."""

    number: int
    section: int
    words: tuple[str, ...]

    def follows(self, *words: str) -> bool:
        """Tell whether words stand in it one after the other."""
        size = len(words)
        return any(self.words[at : at + size] == words for at in range(len(self.words) - size + 1))

    @property
    def conditional(self) -> bool:
        return "if" in self.words or "unless" in self.words


def weaknesses(text: str) -> Iterator[Weakness]:
    """Yield what haproxy.cfg says that an edge must not."""
    lines = list(_lines(text))
    for line in lines:
        for rule in _of_line(line):
            yield Weakness(rule, f"line {line.number}: {' '.join(line.words)}")
    for section in sorted({line.section for line in lines}):
        yield from _of_section([line for line in lines if line.section == section])


def _lines(text: str) -> Iterator[_Line]:
    section = 0
    for number, raw in enumerate(text.splitlines(), 1):
        try:
            words = shlex.split(raw, comments=True)
        except ValueError:
            words = raw.split()
        if words and words[0] in _SECTIONS and not raw[0].isspace():
            section += 1
        if words:
            yield _Line(number, section, tuple(words))


def _of_line(line: _Line) -> Iterator[str]:
    first, second = (*line.words, "")[:2]
    if first == "no":
        return
    older = (line.follows(key, old) for key in ("ssl-min-ver", "ssl-max-ver") for old in _OLD)
    if any(older) or _FORCED & set(line.words):
        yield "tls_versions"
    if (line.follows("verify", "none") and first != "bind") or line.follows("ssl-server-verify", "none"):
        yield "verification"
    if first == "stats" and (second in _STATISTICS or (second == "socket" and _reached(line.words[2:]))):
        yield "administration"
    believed = "set-src" in line.words and not line.conditional
    if believed or (first == "bind" and "accept-proxy" in line.words):
        yield "client_address"
    if (first == "option" and second in _LAX) or first == "h1-accept-payload-with-any-method":
        yield "broken_requests"


def _reached(socket: tuple[str, ...]) -> bool:
    """Tell whether others than root and a group can use an administration socket."""
    address = socket[0] if socket else ""
    mode = socket[socket.index("mode") + 1] if "mode" in socket[:-1] else "600"
    return not address.removeprefix("unix@").startswith("/") or mode[-1] != "0"


def _of_section(lines: list[_Line]) -> Iterator[Weakness]:
    name = " ".join(lines[0].words)
    binds = [line for line in lines if line.words[0] == "bind"]
    open_binds = [line for line in binds if not line.follows("verify", "required")]
    for line in lines:
        if line.follows("use-service", "prometheus-exporter") and open_binds:
            yield Weakness("administration", f"{name}: numbers for whoever asks, line {line.number}")
    passes = any(line.words[0] in {"use_backend", "default_backend", "server"} for line in lines)
    if not passes or not any("ssl" in line.words for line in binds):
        return
    if not any(
        line.words[:2] in {("http-request", "set-header"), ("http-request", "del-header")}
        and line.words[2].lower() == _FORWARDED
        and not line.conditional
        for line in lines
        if len(line.words) > 2  # noqa: PLR2004 - the header's name
    ):
        yield Weakness("client_address", f"{name}: X-Forwarded-For passes as the client wrote it")
