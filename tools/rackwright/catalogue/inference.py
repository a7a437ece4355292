"""Which engine serves the models on each host of the group `inference`, and where its callers find it.

A service of the catalogue with the key `engine` runs on those hosts of its group whose engine it is. Adding
an engine is an entry there, a role, and its name in the tiers' list of engines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rackwright.errors import RackwrightError
from rackwright.sizing.gpu import NEEDS_GPU

GROUP = "inference"
# The port of an engine that speaks the OpenAI API; of further instances `api_1`, `api_2` and so on.
API = "api"
# Runs on any machine: for hosts that nobody gives an engine, and those without the GPU that theirs needs.
FALLBACK = "llama_cpp"
# What a site says of the engines of its hosts, by variable.
VARIABLE = "inference_engine"


@dataclass(frozen=True)
class Serving:
    """What one host of the group serves.

    Attributes:
        engine: Its engine; the service of the catalogue that has it as `engine` runs here.
        models: For each instance of the engine, in the order of its ports, the names that callers ask for.
        embeddings: Those of them that make embeddings and answer no questions.
    """

    engine: str = FALLBACK
    models: tuple[tuple[str, ...], ...] = ((),)
    embeddings: frozenset[str] = frozenset()


def serving_of(variables: Mapping[str, Any], tier_engine: str) -> Serving:
    """Return what a host serves, from its variables.

    Args:
        variables: The host's; templated when they are read.
        tier_engine: The engine of the site's tier.
    """
    engine = engine_of(variables, tier_engine)
    return Serving(engine, models_of(engine, variables), embeddings_of(engine, variables))


def engine_of(variables: Mapping[str, Any], tier_engine: str) -> str:
    """Return a host's engine: what its inventory says, else the tier's where the host can run it.

    Args:
        variables: The host's; `inference_engine` and, when that leaves it open, `hardware` are read.
        tier_engine: The engine of the site's tier.
    """
    if VARIABLE in variables and (given := variables[VARIABLE]):
        return str(given)
    if tier_engine in NEEDS_GPU and "hardware" in variables:
        hardware = variables["hardware"]
        if isinstance(hardware, Mapping) and "gpus" in hardware and not hardware["gpus"]:
            return FALLBACK
    return tier_engine or FALLBACK


def models_of(engine: str, variables: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """Return the names of the models that a host's engine serves, for each of its instances.

    An engine says them by one of three variables: `<engine>_model` {name} and `<engine>_models` [{name}] for
    one instance, `<engine>_instances` [{name}] for one model each.
    """
    if (one := f"{engine}_model") in variables:
        return (_names([variables[one]]),)
    if (many := f"{engine}_models") in variables:
        return (_names(variables[many]),)
    if (instances := f"{engine}_instances") in variables:
        return tuple(_names([instance]) for instance in variables[instances] or ()) or ((),)
    return ((),)


def embeddings_of(engine: str, variables: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of a host's models that answer no questions."""
    entries = next((variables[name] for name in _lists(engine) if name in variables), None) or ()
    marked = [entry for entry in entries if isinstance(entry, Mapping) and entry.get("embedding")]
    return frozenset(_names(marked))


def app_model(instances: Sequence[Mapping[str, Any]]) -> str:
    """Return the model that the app asks for: the first of `host_plan.inference` that answers questions.

    Raises:
        RackwrightError: There is none.
    """
    for each in instances:
        for name in each["models"]:
            if name not in each["embeddings"]:
                return str(name)
    raise RackwrightError(
        "no engine names a model that answers questions",
        hint="give a host of the group inference one: <engine>_model, <engine>_models or <engine>_instances",
    )


def app_engine(instances: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return whom the app asks where no route stands before the engines: {model, engine, urls}.

    Args:
        instances: `host_plan.inference`. Those that do not serve the first model that answers questions are
            not asked: the app knows one model and has one key.

    Raises:
        RackwrightError: No instance names such a model, or engines of several kinds serve it.
    """
    model = app_model(instances)
    asked = [each for each in instances if model in each["models"]]
    engines = list(dict.fromkeys(str(each["engine"]) for each in asked))
    if len(engines) > 1:
        raise RackwrightError(
            f"{model} is served by engines of several kinds ({', '.join(engines)}), each with a key of its"
            " own, and the app, which asks them directly, has one key",
            hint="put a host of the zone app into the group model_route: it knows all keys",
        )
    return {"model": model, "engine": engines[0], "urls": [str(each["base_url"]) for each in asked]}


def _lists(engine: str) -> tuple[str, str]:
    return f"{engine}_models", f"{engine}_instances"


def _names(entries: Any) -> tuple[str, ...]:  # noqa: ANN401 - whatever the inventory says; the role checks it
    if not isinstance(entries, Sequence):
        return ()
    named = [entry for entry in entries if isinstance(entry, Mapping) and entry.get("name")]
    # `also`: further names that it answers to, such as that of the model before it.
    return tuple(str(name) for entry in named for name in (entry["name"], *(entry.get("also") or ())))


def api_port(instance: int) -> str:
    """Return the name of the port of an engine's instance, counted from 0."""
    return f"{API}_{instance}" if instance else API
