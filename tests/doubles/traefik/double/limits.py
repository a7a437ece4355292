"""Middlewares that say who gets in, how often, and how many at a time."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import time
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from double.chain import Around, Handler, Services, Settings, WrongError, seconds
from double.requests import Request
from double.wire import Answer, say


def _source(strategy: Settings) -> Callable[[Request], str]:
    """Return how a request's source is found: the connection's address, or what proxies say."""
    excluded = [ipaddress.ip_network(network) for network in strategy.get("excludedIPs") or []]
    depth = int(strategy.get("depth") or 0)

    def found(request: Request) -> str:
        hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For").split(",")]
        if depth > 0:
            return hops[-depth] if len(hops) >= depth else ""
        if not excluded:
            return request.remote[0]
        return next((hop for hop in reversed(hops) if hop and not _in(hop, excluded)), "")

    return found


def _in(address: str, networks: list[Any]) -> bool:
    try:
        return any(ipaddress.ip_address(address) in network for network in networks)
    except ValueError:
        return False


def ip_allow_list(settings: Settings, _: Services) -> Around:
    if not settings.get("sourceRange"):
        raise WrongError("sourceRange is empty, IPAllowLister not created")
    networks = [ipaddress.ip_network(network) for network in settings["sourceRange"]]
    source, status = _source(settings.get("ipStrategy") or {}), int(settings.get("rejectStatusCode") or 403)
    if status not in {known.value for known in HTTPStatus}:
        raise WrongError(f"invalid HTTP status code {status}")

    def around(then: Handler) -> Handler:
        async def handle(request: Request, answer: Answer) -> None:
            if _in(source(request), networks):
                await then(request, answer)
            else:
                await say(answer, status, HTTPStatus(status).phrase)

        return handle

    return around


def rate_limit(settings: Settings, _: Services) -> Around:
    rate = float(settings.get("average") or 0) / seconds(settings.get("period") or "1s")
    burst = max(1, int(settings.get("burst") or 1))
    most = 0.5 if rate < 1 else 1 / (int(rate) * 2)
    source = _source((settings.get("sourceCriterion") or {}).get("ipStrategy") or {})

    def around(then: Handler) -> Handler:
        # Each router has a limiter of its own.
        buckets: dict[str, tuple[float, float]] = {}

        async def handle(request: Request, answer: Answer) -> None:
            who, now = source(request), time.monotonic()
            tokens, before = buckets.get(who, (float(burst), now))
            tokens = min(float(burst), tokens + (now - before) * rate) - 1
            delay = max(0.0, -tokens / rate) if rate else 0.0
            if delay > most:
                buckets[who] = (tokens + 1, now)
                answer.headers.put("Retry-After", str(math.ceil(delay)))
                answer.headers.put("X-Retry-In", f"{delay:.6f}s")
                await say(answer, 429, "Too Many Requests")
                return
            buckets[who] = (tokens, now)
            await asyncio.sleep(delay)
            await then(request, answer)

        return handle

    return around


def in_flight_req(settings: Settings, _: Services) -> Around:
    most = int(settings["amount"])
    source = _source((settings.get("sourceCriterion") or {}).get("ipStrategy") or {})

    def around(then: Handler) -> Handler:
        open_now: Counter[str] = Counter()

        async def handle(request: Request, answer: Answer) -> None:
            who = source(request)
            if open_now[who] >= most:
                await say(answer, 429, f"max connections reached: {most}")
                return
            open_now[who] += 1
            try:
                await then(request, answer)
            finally:
                open_now[who] -= 1

        return handle

    return around
