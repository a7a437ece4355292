"""How fast one request can be answered at most: every token reads the weights once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rackwright.models.memory import Service, cache_bytes_per_token
from rackwright.models.model import Model, Quantisation
from rackwright.models.weights import active_bytes
from rackwright.sizing.explained import Explained

if TYPE_CHECKING:
    from rackwright.models.devices import Gpus

GB = 1e9


def speed_bound(
    model: Model, quantisation: Quantisation, service: Service, gpus: Gpus | None
) -> Explained | None:
    """Return the tokens a second of one request that the memory's bandwidth allows; no promise.

    None for an embedding model, which makes no tokens, and where the bandwidth is not known.
    """
    if gpus is None or not gpus.bandwidth_gbs or model.architecture.kind == "encoder":
        return None
    read = active_bytes(model, service.quantisation, quantisation)
    cache = cache_bytes_per_token(model, service) * service.context / 2
    # Layers that are dealt out are computed one GPU after the other.
    together = service.tensor_parallel
    value = gpus.bandwidth_gbs * together * GB / (read + cache)
    return Explained(
        round(value),
        "tokens/s",
        "estimate, an upper bound: bandwidth * GPUs at the same time / bytes read for a token",
        {
            "bandwidth_gbs": gpus.bandwidth_gbs,
            "gpus": together,
            "weights_mb": round(read / 1e6),
            "cache_mb": round(cache / 1e6),
        },
        "decoding is bound by memory bandwidth: each token reads all weights that it uses, and the cache",
    )
