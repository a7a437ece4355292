"""The engines that a site may choose instead of the usual ones: FastChat and LocalAI."""

from __future__ import annotations

from rackwright.sizing.asked import Asked, Sized, as_they_are, asked_for
from rackwright.sizing.containers import container_limits
from rackwright.sizing.explained import Explained

# Interpreter, web framework and a request or two: FastChat's processes without PyTorch, in MB.
CONTROLLER_MB = 256
API_MB = 512
# A small rehearsal gets by with less; no process gets less than this.
_LEAST_MB = 64
_TIER = "tiers.yml, inference"
_FASTCHAT = "FastChat, fastchat/serve"
_LOCALAI = "LocalAI documentation, CLI reference"


def size_fastchat(asked: Asked) -> Sized:
    """Derive FastChat's numbers: the limits are those of all its containers together.

    Args:
        asked: Options: fastchat_concurrency.
    """
    concurrency = _parallel(asked, "fastchat_concurrency")
    parameters = {
        **container_limits(asked),
        "controller_memory_mb": _part(asked, CONTROLLER_MB, 16),
        "api_memory_mb": _part(asked, API_MB, 8),
        "concurrency": concurrency,
    }
    if asked.vram_mb is not None:
        parameters["max_gpu_memory_mb"] = Explained(
            asked.vram_mb,
            "MB",
            "its part of each GPU, for a worker over several",
            {"vram_mb": asked.vram_mb},
            _FASTCHAT,
        )
    return as_they_are(parameters, connections=concurrency)


def size_localai(asked: Asked) -> Sized:
    """Derive LocalAI's numbers.

    Args:
        asked: Options: localai_context, localai_parallel, localai_threads.
    """
    threads = asked.option("localai_threads")
    cores = asked.machine.cores or asked.cpus
    context = asked.option("localai_context", least=256)
    parallel = _parallel(asked, "localai_parallel")
    parameters = {
        **container_limits(asked),
        "threads": Explained(
            min(asked.cpus, cores),
            "",
            "its cores, physical ones only",
            {"cpus": asked.cpus, "cores": asked.machine.cores or "unknown"},
            _LOCALAI,
        )
        if threads is None
        else asked_for("localai_threads", threads),
        "parallel": parallel,
        "context_tokens": Explained(
            asked.intent.context_tokens, "", "the tier's", {"tier": asked.intent.tier}, _TIER
        )
        if context is None
        else asked_for("localai_context", context),
    }
    if asked.gpu_fraction is not None:
        parameters["vram_percent"] = Explained(
            int(asked.gpu_fraction * 100),
            "%",
            "its part of each GPU",
            {"vram_mb": asked.vram_mb or "unknown"},
            _LOCALAI,
        )
    return as_they_are(parameters, connections=parallel)


def _part(asked: Asked, usual_mb: int, divisor: int) -> Explained:
    return Explained(
        max(_LEAST_MB, min(usual_mb, asked.memory_mb // divisor)),
        "MB",
        f"{usual_mb} MB, at most one part in {divisor} of its memory: the workers hold the weights",
        {"memory_mb": asked.memory_mb},
        _FASTCHAT,
    )


def _parallel(asked: Asked, option: str) -> Explained:
    given = asked.option(option)
    if given is not None:
        return asked_for(option, given)
    value = asked.intent.parallel_requests
    return Explained(value, "", "the tier's parallel requests", {"tier": asked.intent.tier}, _TIER)
