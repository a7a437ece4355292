# ruff: noqa: INP001 - a program of its own, for machines with a GPU
"""Measure what models take on a GPU: weights, cache, a process's own context, and one request's speed.

    python bench/gpu_memory.py shapes.json > measured.json

Run by hand on a machine with a GPU, PyTorch and transformers; nothing is downloaded: weights are drawn at
random and memory does not depend on their values. `shapes.json`: model -> [architecture of
group_vars/all/models.yml, context in tokens, requests at the same time]. The figures of one run are in
tests/data/models/published.yml, where a test holds the planner to them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, TypeAlias

import torch  # type: ignore[import-not-found,unused-ignore]
from transformers import (  # type: ignore[import-not-found,unused-ignore]
    AutoModelForCausalLM,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
    Qwen3Config,
    StaticCache,
)

MIB = 2**20
Model: TypeAlias = Any

FAMILIES = {"qwen2.5": Qwen2Config, "qwen3": Qwen3Config, "llama3": LlamaConfig, "mistral": MistralConfig}
# Prompts are read in pieces, as engines do.
PIECE = 1024
DECODED = 100


def used_mib() -> int:
    """Return what nvidia-smi says is in use on the first GPU."""
    query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    return int(subprocess.run(query, check=True, capture_output=True, text=True).stdout.split()[0])


def model_of(key: str, shape: dict[str, Any]) -> Model:
    """Make a model of a shape, with weights drawn at random."""
    family = next(cls for name, cls in FAMILIES.items() if key.startswith(name))
    further = {"sliding_window": None} if family is MistralConfig else {}
    config = family(
        vocab_size=shape["vocabulary"],
        hidden_size=shape["hidden"],
        intermediate_size=shape["ffn"],
        num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"],
        num_key_value_heads=shape["kv_heads"],
        head_dim=shape["head_size"],
        tie_word_embeddings=shape.get("tied", False),
        max_position_embeddings=131072,
        **further,
    )
    with torch.device("cuda"):
        return AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval()


def cache_mib(model: Model, vocabulary: int, context: int, parallel: int) -> float:
    """Return what the cache of so many requests takes."""
    tokens = torch.randint(0, vocabulary, (parallel, context), device="cuda")
    before, past = torch.cuda.memory_allocated(), None
    for at in range(0, context, PIECE):
        result = model(tokens[:, at : at + PIECE], past_key_values=past, use_cache=True, logits_to_keep=1)
        past = result.past_key_values
        del result
    return (torch.cuda.memory_allocated() - before) / MIB


def tokens_per_second(model: Model, vocabulary: int) -> float:
    """Return the speed of one request: a step is one CUDA graph, so that the processor does not count."""
    cache = StaticCache(config=model.config, max_cache_len=2048)
    token = torch.randint(0, vocabulary, (1, 1), device="cuda")
    position = torch.tensor([1024], device="cuda")
    mask = torch.zeros(1, 1, 1, 2048, device="cuda", dtype=torch.bfloat16)

    def step() -> None:
        model(
            token,
            past_key_values=cache,
            cache_position=position,
            position_ids=position[None],
            attention_mask=mask,
        )

    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(DECODED):
        graph.replay()
    torch.cuda.synchronize()
    return DECODED / (time.perf_counter() - started)


def main() -> None:
    """Measure each shape in turn and print all as JSON."""
    shapes = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    before = used_mib()
    ones = torch.ones(64, 64, device="cuda", dtype=torch.bfloat16)
    float((ones @ ones).sum())
    context_mib = used_mib() - before - torch.cuda.memory_reserved() // MIB
    models: dict[str, dict[str, float]] = {}
    for key, (shape, context, parallel) in shapes.items():
        torch.cuda.empty_cache()
        base = torch.cuda.memory_allocated()
        model = model_of(key, shape)
        with torch.inference_mode():
            models[key] = {
                "weights_mib": round((torch.cuda.memory_allocated() - base) / MIB, 1),
                "cache_mib": round(cache_mib(model, shape["vocabulary"], context, parallel), 1),
                "tokens_per_second": round(tokens_per_second(model, shape["vocabulary"]), 1),
            }
        del model
    print(json.dumps({"gpu": torch.cuda.get_device_name(), "context_mib": context_mib, "models": models}))  # noqa: T201


if __name__ == "__main__":
    main()
