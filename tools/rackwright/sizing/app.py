"""The app: workers and the connections that each may open to the database."""

from __future__ import annotations

from rackwright.sizing.asked import Asked, Sized, as_they_are, asked_for
from rackwright.sizing.connections import per_app_host
from rackwright.sizing.explained import Explained
from rackwright.sizing.refusal import Change, RefusedError

# The parent process, and one worker with some hundred streams.
PARENT_MB = 60
WORKER_MB = 105
LEAST_POOL = 2
_OURS = "docs/sizing.md, app"
# What a site may set of its engines' contexts.
_CONTEXTS = ("llama_cpp_context", "ollama_context_length", "vllm_max_model_len")


def size_app(asked: Asked) -> Sized:
    """Derive the app's numbers.

    While workers are replaced one by one, the successor of one runs beside all of them: memory and
    connections are counted for one worker more.

    Args:
        asked: Options: app_workers, and the context of each engine.

    Raises:
        RefusedError: The share holds no worker, or fewer than asked.
    """
    allowed = per_app_host(asked.intent, asked.hosts)
    by_memory = (asked.memory_mb - PARENT_MB) // WORKER_MB - 1
    by_pool = int(allowed.value) // LEAST_POOL - 1
    most = min(by_memory, by_pool)
    if most < 1:
        enough = PARENT_MB + 2 * WORKER_MB
        raise RefusedError(
            f"the app's {asked.memory_mb} MB hold no worker: one and its successor need {enough} MB",
            [
                Change(
                    "services.app.memory.minimum_mb",
                    enough,
                    f"give the app {enough} MB (services.app.memory)",
                )
            ],
        )
    given = asked.option("app_workers")
    if given is not None and given > most:
        raise RefusedError(
            f"app_workers is {given}: {asked.memory_mb} MB of memory and {allowed.value} connections to the "
            f"database are enough for {most}",
            [Change("app_workers", most, f"set app_workers to {most} at most, or leave it out")],
        )
    if given is not None:
        workers = asked_for("app_workers", given)
    else:
        workers = Explained(
            min(asked.cpus, most),
            "",
            "one per core, as many as memory and connections hold",
            {"cpus": asked.cpus, "by_memory": by_memory, "by_connections": by_pool},
            _OURS,
        )
    count = int(workers.value)
    pool = Explained(
        int(allowed.value) // (count + 1),
        "",
        "connections of the host / (workers + 1)",
        {"connections": allowed.value, "workers": count},
        _OURS,
    )
    given_contexts = {name: asked.option(name, least=256) for name in _CONTEXTS}
    contexts = {name: context for name, context in given_contexts.items() if context is not None}
    if contexts:
        # Whichever engine answers must be able to read the question.
        name = min(contexts, key=contexts.__getitem__)
        tokens = asked_for(name, contexts[name])
    else:
        tokens = Explained(
            asked.intent.context_tokens, "", "the tier's", {"tier": asked.intent.tier}, "tiers.yml"
        )
    parameters = {"workers": workers, "pool_size": pool, "context_tokens": tokens}
    return as_they_are(parameters, connections=allowed)
