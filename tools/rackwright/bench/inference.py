"""What a load on the models showed: times to the first token, speeds and errors, beside a tier's promise."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rackwright.bench.inference_load import Request
from rackwright.errors import RackwrightError

SECONDS = 20
TOKENS = 128
# Short questions, different ones, so that an engine's cache of prompts does not answer for it.
PROMPTS = (
    "Explain to a new colleague what a server rack is and what it is for.",
    "List the steps to replace a failed disk without losing data.",
    "Write a short, polite e-mail that asks a supplier for a delivery date.",
    "What should a company consider before it moves its data out of the cloud?",
    "Summarise the difference between a backup and a replica in five sentences.",
    "用三句话说明为什么企业要把数据留在内网。",
    "给新员工写一段关于密码安全的说明。",
)


@dataclass(frozen=True)
class Promise:
    """What each user may expect while all ask.

    Attributes:
        first_token_seconds: to the first token of 95 of 100 answers.
        tokens_per_second: of the median answer, from its first token on.
    """

    first_token_seconds: float
    tokens_per_second: float


@dataclass(frozen=True)
class Percentiles:
    """Of some figures: what 50, 95 and 99 of 100 are not worse than."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True)
class Step:
    """What so many users at a time saw.

    Attributes:
        users: how many.
        seconds: from the first question to the last answer.
        requests: how many were asked.
        errors: what went wrong, with how often.
        first_token: seconds to the first token; None when no answer came.
        answer: seconds to an answer's end.
        speed: tokens a second of an answer, from its first token on; 95 of 100 are not slower than P95.
        throughput: tokens a second of all users together.
    """

    users: int
    seconds: float
    requests: int
    errors: Mapping[str, int]
    first_token: Percentiles | None
    answer: Percentiles | None
    speed: Percentiles | None
    throughput: float

    @property
    def failed(self) -> int:
        """How many requests went wrong."""
        return sum(self.errors.values())

    def keeps(self, promise: Promise) -> bool:
        """Tell whether the promise held: every request was answered, soon and fast enough."""
        return (
            not self.failed
            and self.first_token is not None
            and self.speed is not None
            and self.first_token.p95 <= promise.first_token_seconds
            and self.speed.p50 >= promise.tokens_per_second
        )


@dataclass(frozen=True)
class Result:
    """A whole measurement.

    Attributes:
        target: the address that was asked, and how it is called (`route`, `engine`, `url`).
        asked_from: the host that asked.
        model: which model.
        tier: name of the site's tier, the users it is for and what it promises them.
        steps: what was seen, by growing number of users.
        tokens: longest answer that was asked for.
    """

    url: str
    target: str
    asked_from: str
    model: str
    tier: str
    tier_users: int
    promise: Promise
    tokens: int
    steps: tuple[Step, ...]

    @property
    def kept(self) -> bool:
        """Whether the last step, the one with the most users, keeps the promise."""
        return self.steps[-1].keeps(self.promise)

    @property
    def complete(self) -> bool:
        """Whether as many users asked as the tier is for."""
        return self.steps[-1].users >= self.tier_users

    def as_dict(self) -> dict[str, Any]:
        """Return it for machines."""
        return asdict(self) | {"kept": self.kept, "complete": self.complete}


def steps_to(users: int) -> tuple[int, ...]:
    """Return the numbers of users to measure: 1, 2, 4 and so on, and the one asked for."""
    doubling = [2**power for power in range(users.bit_length()) if 2**power < users]
    return (*doubling, users)


def require_bounded(users: int, tier_users: int, tier: str, *, force: bool) -> None:
    """Refuse more users than the site is for.

    Raises:
        RackwrightError: More than the tier's, and not forced.
    """
    if users > tier_users and not force:
        raise RackwrightError(
            f"{users} users are more than the tier {tier} is for ({tier_users})",
            hint="people who use the platform now would wait for it; with --force it is done all the same",
        )


def summarise(users: int, requests: Sequence[Request]) -> Step:
    """Make the figures of a step from what became of its requests.

    Raises:
        RackwrightError: Nothing was asked.
    """
    if not requests:
        raise RackwrightError("no question was asked", hint="give it more --seconds")
    good = [request for request in requests if not request["error"] and request["first"] is not None]
    began = min(request["began"] for request in requests)
    seconds = max(request["began"] + request["ended"] for request in requests) - began
    errors = Counter(request["error"] for request in requests if request["error"])
    empty = sum(not request["error"] and request["first"] is None for request in requests)
    if empty:
        errors["empty answer"] = empty
    return Step(
        users=users,
        seconds=round(seconds, 3),
        requests=len(requests),
        errors=dict(sorted(errors.items())),
        first_token=_percentiles([request["first"] or 0.0 for request in good]),
        answer=_percentiles([request["ended"] for request in good]),
        speed=_percentiles([speed for request in good if (speed := _speed(request))], worst_is_low=True),
        throughput=round(sum(request["tokens"] for request in good) / seconds, 2) if seconds else 0.0,
    )


def _speed(request: Request) -> float | None:
    """Return an answer's tokens a second; None for one of a single token, which has no speed."""
    writing = request["ended"] - (request["first"] or 0.0)
    return (request["tokens"] - 1) / writing if request["tokens"] > 1 and writing > 0 else None


def _percentiles(figures: Sequence[float], *, worst_is_low: bool = False) -> Percentiles | None:
    """Return the nearest-rank percentiles; None of nothing."""
    if not figures:
        return None
    ordered = sorted(figures, reverse=worst_is_low)

    def rank(share: float) -> float:
        return round(ordered[math.ceil(share * len(ordered)) - 1], 4)

    return Percentiles(rank(0.50), rank(0.95), rank(0.99))
