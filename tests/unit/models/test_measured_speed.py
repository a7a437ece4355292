"""The bound of an answer's speed holds on a real card: bench/gpu_memory.py on one H200, 2026-11."""

from __future__ import annotations

import pytest

from rackwright.hardware.gpus import known_gpus
from rackwright.models.devices import Gpus
from rackwright.models.engines import ENGINES
from rackwright.models.memory import Service
from rackwright.models.model import Models
from rackwright.models.speed import speed_bound

# Tokens a second of one request with 2048 tokens of context, in bf16, by transformers.
MEASURED = {
    "qwen2.5-3b": 161.3,
    "qwen2.5-7b": 126.5,
    "llama3.1-8b": 115.5,
    "qwen3-8b": 95.7,
    "mistral-nemo-12b": 84.3,
    "qwen3-14b": 68.9,
    "qwen3-32b": 33.0,
}


@pytest.mark.parametrize("model", MEASURED)
def test_no_card_is_faster_than_the_bound_and_a_plain_engine_reaches_a_fair_part(
    models: Models, model: str
) -> None:
    known = known_gpus().by_name("H200 SXM")
    assert known is not None
    assert known.bandwidth_gbs is not None
    h200 = Gpus("H200 SXM", 1, 143771, known.bandwidth_gbs)
    service = Service(ENGINES["vllm"], "bf16", 2048, 1, "f16", 1)
    bound = speed_bound(models.models[model], models.quantisations["bf16"], service, h200)
    assert bound is not None
    share = MEASURED[model] / float(bound.value)
    assert 0.2 < share < 1.0, (model, bound.value)
