"""What the tier wants of a host's services, as far as numbers follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rackwright.tiers.model import Tier


@dataclass(frozen=True)
class Intent:
    """The part of a tier that sizing reads.

    Attributes:
        tier: its name or title, for explanations.
        concurrent_users: people who use the site at the same time.
        context_tokens: tokens of one request, question and answer together.
        parallel_requests: requests that one engine computes at the same time.
        models: how many models one engine keeps loaded, the embedding model included.
        shares: weight of a service among its neighbours; one that is not named has the catalogue's.
        engine: what serves the models where a host does not say; empty without a tier.
        choices: what a site takes that does not say it, by variable (vector_store).
        retention: how long things are kept, in days (conversations_days, …).
    """

    tier: str = "none"
    concurrent_users: int = 10
    context_tokens: int = 4096
    parallel_requests: int = 4
    models: int = 2
    shares: Mapping[str, int] = field(default_factory=dict)
    engine: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)
    retention: Mapping[str, int] = field(default_factory=dict)


def intent_of(tier: Tier, name: str = "") -> Intent:
    """Take from a tier what sizing reads."""
    return Intent(
        tier=name or tier.title,
        concurrent_users=tier.users.concurrent,
        context_tokens=tier.inference.context_tokens,
        parallel_requests=tier.inference.parallel_requests,
        models=2 + len(tier.inference.more_models),
        shares=dict(tier.shares),
        engine=tier.inference.engine,
        choices={
            "vector_store": tier.vector_store,
            "log_store": tier.log_store,
            # One of any tier: whoever has a host for objects wants them served.
            "object_store": "rclone",
        },
        retention=tier.retention.model_dump(),
    )
