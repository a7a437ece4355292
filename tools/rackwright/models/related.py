"""Which models may stand in for another."""

from __future__ import annotations

import re

from rackwright.models.model import Models


def family(key: str) -> str:
    """Return a model's family: its key up to the size. `qwen2.5-coder-7b` is a `qwen2.5-coder`."""
    return re.split(r"-\d+(?:\.\d+)?b", key, maxsplit=1)[0]


def vendor(key: str) -> str:
    """Return what the keys of one vendor begin with: `qwen` of `qwen3-8b`."""
    match = re.match(r"[a-z]+", key)
    return match[0] if match else key


def smaller_models(models: Models, key: str) -> list[str]:
    """Return the other models of the same main purpose with no more parameters.

    Those of the family come first, then those of the vendor; of each the largest first.
    """
    own = models.models[key]
    smaller = [
        (family(other) != family(key), vendor(other) != vendor(key), -model.parameters.total, other)
        for other, model in models.models.items()
        if other != key and model.parameters.total <= own.parameters.total and model.serves(own.purposes[0])
    ]
    return [other for *_, other in sorted(smaller)]
