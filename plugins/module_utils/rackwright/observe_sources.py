"""Where a machine gets its packages from, through which proxy, and whether that works: by real requests."""

from __future__ import annotations

import errno
import http.client
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from ansible.module_utils.rackwright.observe_host import text

_PROXY_NAMES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")
_APT_PROXY = re.compile(r'^\s*Acquire::(https?)::Proxy\s+"?([^";]+)"?\s*;', re.MULTILINE | re.IGNORECASE)
_READ_BYTES = 4096
_REDIRECTS = 3
_EMPTY_TRIES = 4
_EMPTY_SECONDS = 0.5
_AUTHENTICATION = 407
_CAPTIVE = 511
_SIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----"
_RELEASE = re.compile(rb"^(Origin|Suite|Codename|Date|SHA256|MD5Sum):", re.MULTILINE)


def apt_sources(root: Path = Path("/")) -> list[str]:
    """URLs of the release file of every package source that is in use; one for each place."""
    found: dict[str, str] = {}
    for uri, suite in (*_one_line(root), *_deb822(root)):
        if urlsplit(uri).scheme in {"http", "https", "cdrom"}:
            place = uri.rstrip("/")
            found.setdefault(place, f"{place}/{suite if suite.endswith('/') else f'dists/{suite}/'}InRelease")
    return list(found.values())


def _one_line(root: Path) -> list[tuple[str, str]]:
    found = []
    for path in (root / "etc/apt/sources.list", *sorted((root / "etc/apt/sources.list.d").glob("*.list"))):
        for line in text(path).splitlines():
            match = re.match(r"\s*deb\s+(?:\[[^]]*\]\s+)?(cdrom:\[[^]]*\]\S*|\S+)\s+(\S+)", line)
            if match:
                found.append((match[1], match[2]))
    return found


def _deb822(root: Path) -> list[tuple[str, str]]:
    found = []
    for path in sorted((root / "etc/apt/sources.list.d").glob("*.sources")):
        for paragraph in re.split(r"\n\s*\n", text(path)):
            lines = [line for line in paragraph.splitlines() if not line.startswith("#")]
            fields = {
                key.lower(): value.split()
                for key, value in re.findall(
                    r"^(\S+):((?:.*\n?)(?:[ \t].*\n?)*)", "\n".join(lines), re.MULTILINE
                )
            }
            if "deb" in fields.get("types", []) and fields.get("enabled", ["yes"]) != ["no"]:
                found += [
                    (uri, suite) for uri in fields.get("uris", []) for suite in fields.get("suites", [])[:1]
                ]
    return found


def proxies(root: Path = Path("/")) -> list[dict[str, str]]:
    """Proxies that programs here are told to use: by the environment, by /etc/environment, by apt."""
    found = [
        {"where": "environment", "name": name, "value": value}
        for name, value in sorted(os.environ.items())
        if name.lower() in _PROXY_NAMES and value
    ]
    for line in text(root / "etc/environment").splitlines():
        name, separator, value = line.removeprefix("export ").partition("=")
        if separator and name.strip().lower() in _PROXY_NAMES:
            found.append({"where": "/etc/environment", "name": name.strip(), "value": value.strip("'\" ")})
    for path in (root / "etc/apt/apt.conf", *sorted((root / "etc/apt/apt.conf.d").glob("*"))):
        for scheme, value in _APT_PROXY.findall(text(path)):
            where = f"/{path.relative_to(root)}"
            found.append(
                {"where": where, "name": f"Acquire::{scheme.lower()}::Proxy", "value": value.strip()}
            )
    return found


def proxy_for(url: str, given: str, found: list[dict[str, str]]) -> str:
    """The proxy through which apt will fetch a URL; empty for none. What the site gives is the strongest."""
    if given:
        return given
    scheme = urlsplit(url).scheme
    # For https apt takes what is set for http when nothing else is.
    for name in dict.fromkeys((f"Acquire::{scheme}::Proxy", "Acquire::http::Proxy")):
        for entry in reversed(found):
            if entry["name"] == name:
                return "" if entry["value"].upper() == "DIRECT" else entry["value"]
    return ""


def ask_source(url: str, proxy: str, timeout: float) -> dict[str, Any]:
    """Fetch the beginning of a package source's release file; say how that went.

    The result's `kind` is ok, name, refused, timeout, unreachable, tls, status, proxy (it wants a log-in),
    intercepted (something else answers in the place of the source) or medium (a disc).
    """
    started = time.monotonic()
    if urlsplit(url).scheme == "cdrom":
        kind, detail = "medium", "it is a disc"
    else:
        kind, detail = _judged(url, proxy, timeout)
        if kind == "status" and url.endswith("/InRelease"):
            # Older archives have the file without the signature inside.
            kind, detail = _judged(url.removesuffix("InRelease") + "Release", proxy, timeout)
    seconds = round(time.monotonic() - started, 2)
    return {"url": url, "proxy": proxy, "kind": kind, "detail": detail, "seconds": seconds}


def ask_url(url: str, proxy: str, timeout: float) -> dict[str, Any]:
    """Ask any URL; whatever the server itself answers is good."""
    started = time.monotonic()
    try:
        status, _, _ = _fetch(url, proxy, timeout)
        kind, detail = _by_status(status) or ("ok", f"status {status}")
    except (OSError, http.client.HTTPException) as error:
        kind, detail = failure(error)
    return {"url": url, "proxy": proxy, "kind": kind, "detail": detail,
            "seconds": round(time.monotonic() - started, 2)}  # fmt: skip


def _judged(url: str, proxy: str, timeout: float) -> tuple[str, str]:
    try:
        status, kind, body = _fetch(url, proxy, timeout)
        for _ in range(_EMPTY_TRIES):
            if status != http.client.OK or body:
                break
            # apt-cacher-ng gives an empty file to whoever asks while it begins to fetch it for another.
            time.sleep(_EMPTY_SECONDS)
            status, kind, body = _fetch(url, proxy, timeout)
    except (OSError, http.client.HTTPException) as error:
        return failure(error)
    special = _by_status(status)
    if special:
        return special
    if status != http.client.OK:
        return "status", f"status {status}"
    if body.lstrip().startswith(_SIGNED) or _RELEASE.search(body):
        return "ok", ""
    return "intercepted", f"it answers {kind or 'something'} that is no release file: {_shown(body)}"


def _by_status(status: int) -> tuple[str, str] | None:
    if status == _AUTHENTICATION:
        return "proxy", "the proxy wants a log-in (status 407)"
    if status == _CAPTIVE:
        return "intercepted", "the network wants a log-in (status 511)"
    return None


def _shown(body: bytes) -> str:
    return " ".join(body[:80].decode("utf-8", "replace").split()) or "(empty)"


def _fetch(url: str, proxy: str, timeout: float) -> tuple[int, str, bytes]:
    """Return status, content type and the beginning of the body, redirections followed."""
    for _ in range(_REDIRECTS):
        parts = urlsplit(url)
        connection = _connect(url, proxy, timeout)
        try:
            plain_proxy = proxy and parts.scheme == "http"
            target = url if plain_proxy else parts.path + (f"?{parts.query}" if parts.query else "") or "/"
            connection.request(
                "GET",
                target,
                headers={
                    "Host": parts.netloc.rpartition("@")[2],
                    "User-Agent": "Debian APT-HTTP/1.3 (rackwright)",
                },
            )
            answer = connection.getresponse()
            place = answer.getheader("Location")
            if answer.status in {301, 302, 303, 307, 308} and place:
                url = urljoin(url, place)
                continue
            return (
                answer.status,
                (answer.getheader("Content-Type") or "").partition(";")[0],
                answer.read(_READ_BYTES),
            )
        finally:
            connection.close()
    return 508, "", b""


def _connect(url: str, proxy: str, timeout: float) -> http.client.HTTPConnection:
    parts, by = urlsplit(url), urlsplit(proxy)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if parts.scheme == "https":
        context = ssl.create_default_context()
        if proxy:
            tunnel = http.client.HTTPSConnection(
                by.hostname or "", by.port or 80, timeout=timeout, context=context
            )
            tunnel.set_tunnel(host, port)
            return tunnel
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
    return http.client.HTTPConnection(
        (by.hostname if proxy else host) or "", (by.port or 80) if proxy else port, timeout=timeout
    )


def failure(error: Exception) -> tuple[str, str]:
    """The word for what a connection ended with, and the system's own words."""
    said = str(error) or type(error).__name__
    if isinstance(error, socket.gaierror):
        return "name", said
    if isinstance(error, ssl.SSLError):
        return "tls", said
    if isinstance(error, TimeoutError) or getattr(error, "errno", None) == errno.ETIMEDOUT:
        return "timeout", "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "refused", said
    if isinstance(error, OSError) and error.errno in {errno.ENETUNREACH, errno.EHOSTUNREACH}:
        return "unreachable", said
    return "other", said


def at_once(
    questions: list[tuple[dict[str, Any], Callable[[], dict[str, Any]]]], seconds: float
) -> list[dict[str, Any]]:
    """Ask everything at the same time; what has not answered in time gets the answer that goes with it.

    The system's resolver cannot be told to hurry, so what hangs in it is left behind.

    Args:
        questions: Pairs of the answer for want of one, and what asks.
        seconds: How long all may take.
    """
    answers: list[dict[str, Any] | None] = [None] * len(questions)

    def ask(number: int) -> None:
        answers[number] = questions[number][1]()

    threads = [threading.Thread(target=ask, args=(number,), daemon=True) for number in range(len(questions))]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [answer or questions[number][0] for number, answer in enumerate(answers)]
