"""The model engines: llama.cpp on cores, Ollama and vLLM on GPUs."""

from __future__ import annotations

from rackwright.sizing.asked import Asked, Sized, as_they_are, asked_for
from rackwright.sizing.containers import container_limits
from rackwright.sizing.explained import Explained

# The deployment plan loads two models, three where it tunes.
MOST_LOADED = 3
LEAST_QUEUE = 512
_TIER = "tiers.yml, inference"
_OLLAMA = "Ollama documentation, FAQ: concurrent requests"
_VLLM = "vLLM documentation, engine arguments"
_MB = 1024**2


def size_llama_cpp(asked: Asked) -> Sized:
    """Derive llama.cpp's numbers.

    Args:
        asked: Options: llama_cpp_threads, llama_cpp_parallel, llama_cpp_context.
    """
    threads = asked.option("llama_cpp_threads")
    if threads is not None:
        computing = asked_for("llama_cpp_threads", threads)
    else:
        count = min(asked.cpus, asked.machine.cores or asked.cpus)
        computing = Explained(
            count,
            "",
            "its cores, physical ones only: a second thread on a core waits for the same units",
            {"cpus": asked.cpus, "cores": asked.machine.cores or "unknown"},
            "llama.cpp documentation, server: threads",
        )
    asked_parallel = asked.option("llama_cpp_parallel")
    if asked_parallel is not None:
        parallel = asked_for("llama_cpp_parallel", asked_parallel)
    else:
        parallel = Explained(
            min(asked.intent.parallel_requests, asked.cpus),
            "",
            "the tier's, at most one per core",
            {"parallel_requests": asked.intent.parallel_requests, "cpus": asked.cpus},
            _TIER,
        )
    return as_they_are(
        {
            **container_limits(asked),
            "threads": computing,
            "parallel": parallel,
            "context_tokens": _context(asked, "llama_cpp_context"),
        },
        connections=parallel,
    )


def size_ollama(asked: Asked) -> Sized:
    """Derive Ollama's numbers; the names are those of its environment variables, without OLLAMA_.

    Args:
        asked: Options: ollama_num_parallel, ollama_context_length.
    """
    given = asked.option("ollama_num_parallel")
    parallel = _parallel(asked) if given is None else asked_for("ollama_num_parallel", given)
    parameters = {
        **container_limits(asked),
        "num_parallel": parallel,
        "max_loaded_models": Explained(
            min(MOST_LOADED, asked.intent.models),
            "",
            f"the tier's models and the embedding model, at most {MOST_LOADED}",
            {"models": asked.intent.models},
            _OLLAMA,
        ),
        "max_queue": Explained(
            max(LEAST_QUEUE, asked.intent.concurrent_users * 2),
            "",
            f"two a user, {LEAST_QUEUE} at least",
            {"concurrent_users": asked.intent.concurrent_users},
            _OLLAMA,
        ),
        "keep_alive": Explained("24h", "", "a model stays loaded over the day", {}, "the deployment plan"),
        "context_length": _context(asked, "ollama_context_length"),
    }
    if asked.vram_mb is not None and asked.machine.gpus:
        smallest = min(gpu.vram_mb for gpu in asked.machine.gpus)
        parameters["gpu_overhead"] = Explained(
            (smallest - asked.vram_mb) * _MB,
            "bytes",
            "the part of each GPU that is its neighbours' and the driver's",
            {"vram_mb": smallest, "part_mb": asked.vram_mb},
            "Ollama documentation, OLLAMA_GPU_OVERHEAD",
        )
    return as_they_are(parameters, connections=parallel)


def size_vllm(asked: Asked) -> Sized:
    """Derive vLLM's numbers; the names are those of its arguments.

    Args:
        asked: Options: vllm_tensor_parallel_size, vllm_max_num_seqs, vllm_max_model_len.
    """
    given = asked.option("vllm_max_num_seqs")
    sequences = _parallel(asked) if given is None else asked_for("vllm_max_num_seqs", given)
    size = _tensor_parallel(asked)
    wanted_shm = 1024 * int(size.value)
    parameters = {
        **container_limits(asked),
        "gpu_memory_utilization": Explained(
            asked.gpu_fraction or 0.0,
            "",
            "its part of each GPU",
            {"vram_mb": asked.vram_mb or "unknown"},
            _VLLM,
        ),
        "tensor_parallel_size": size,
        "max_model_len": _context(asked, "vllm_max_model_len"),
        "max_num_seqs": sequences,
        "shm_size_mb": Explained(
            min(asked.memory_mb // 4, wanted_shm),
            "MB",
            "1 GB for each GPU, at most a quarter of its memory: the GPUs' processes speak through it",
            {"tensor_parallel_size": size.value, "memory_mb": asked.memory_mb},
            "vLLM documentation, deploying with Docker: shm-size",
        ),
    }
    return as_they_are(parameters, connections=sequences)


def _tensor_parallel(asked: Asked) -> Explained:
    given = asked.option("vllm_tensor_parallel_size")
    if given is not None:
        return asked_for("vllm_tensor_parallel_size", given)
    gpus = len(asked.machine.gpus or (None,))
    size = 1
    while size * 2 <= gpus:
        size *= 2
    # Attention heads must divide by it, and theirs are powers of two times a small number.
    rule = "the largest power of two of the host's GPUs"
    return Explained(size, "", rule, {"gpus": gpus if asked.machine.gpus else "unknown"}, _VLLM)


def _parallel(asked: Asked) -> Explained:
    value = asked.intent.parallel_requests
    return Explained(value, "", "the tier's parallel requests", {"tier": asked.intent.tier}, _TIER)


def _context(asked: Asked, option: str) -> Explained:
    given = asked.option(option, least=256)
    if given is not None:
        return asked_for(option, given)
    return Explained(asked.intent.context_tokens, "", "the tier's", {"tier": asked.intent.tier}, _TIER)
