"""The site's models as Dify is told of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def models(
    inference: Sequence[Mapping[str, Any]], routes: Sequence[str], keys: Mapping[str, str], context: int
) -> list[dict[str, Any]]:
    """Return each model once: name, type (llm or text-embedding), url, api_key and context.

    Args:
        inference: Instances of all engines (`host_plan.inference`).
        routes: Where the site's model route is called; empty without one. Then each model's first engine is.
        keys: Engine, or `route`, to the key that it wants.
        context: Tokens that a model is said to take.
    """
    found: dict[str, dict[str, Any]] = {}
    for instance in inference:
        for name in instance.get("models") or ():
            embeds = name in (instance.get("embeddings") or ())
            found.setdefault(
                str(name),
                {
                    "name": str(name),
                    "type": "text-embedding" if embeds else "llm",
                    "url": routes[0] if routes else str(instance["base_url"]),
                    "api_key": keys.get("route" if routes else str(instance["engine"]), ""),
                    "context": context,
                },
            )
    return [found[name] for name in sorted(found)]
