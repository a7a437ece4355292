"""What is switched to: a build that hosts can get, as the engine's variable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from rackwright.models.model import Models
from rackwright.models.store.files import StoreError
from rackwright.models.store.places import build_of, check_licence

# The host's store where the site does not say otherwise: the default of roles/models.
DIRECTORY = "/var/lib/rackwright/model-store"


@dataclass(frozen=True)
class Target:
    """A model to serve.

    Attributes:
        model: The engine's variable: {name, path, size}, or as the site had it.
        build: {model, quantisation}; None where a role brings the file.
    """

    model: Mapping[str, Any]
    build: Mapping[str, str] | None

    @property
    def name(self) -> str:
        """The name that callers ask for it by."""
        return str(self.model["name"])


def places_of(variables: Mapping[str, Any]) -> list[str]:
    """Return where a site's hosts get models from: the store first, then folders and mirrors."""
    own = [str(variables["models_store"])] if variables.get("models_store") else []
    sources = variables.get("model_sources") or []
    folders = [str(each["path"]) for each in sources if each["kind"] == "folder"]
    return own + folders + [str(each["url"]) for each in sources if each["kind"] == "mirror"]


def target_of(name: str, quantisation: str | None, variables: Mapping[str, Any]) -> Target:
    """Return the model that a name stands for.

    Args:
        name: The model.
        quantisation: Its build; None for the first there is.
        variables: A host's.

    Raises:
        StoreError: It is nowhere, its licence is not accepted, or llama.cpp cannot read it.
    """
    build = build_of(name, quantisation, places_of(variables))
    check_licence(build, variables.get("models_accept_licences") or ())
    files = sorted(
        (each for each in build["files"] if each["path"].endswith(".gguf")),
        key=lambda each: str(each["path"]),
    )
    if not files:
        raise StoreError(
            f"{name} in {build['quantisation']} has no GGUF file, which is what llama_cpp reads",
            hint="take a GGUF build: `rackwright models list`",
        )
    directory = PurePosixPath(str(variables.get("models_directory") or DIRECTORY))
    path = directory / "trees" / str(build["model"]) / str(build["quantisation"]) / str(files[0]["path"])
    size = sum(int(each["size"]) for each in files)
    return Target(
        {"name": str(build["model"]), "path": str(path), "size": size},
        {"model": str(build["model"]), "quantisation": str(build["quantisation"])},
    )


def need_mb(target: Target, models: Models, context: int, parallel: int, prompt_cache_mb: int) -> int:
    """Return the memory that llama-server needs for a model, in MB.

    The planner counts a model of the catalogue; of another one the file's size is known and nothing more.
    """
    from rackwright.models.devices import Machine  # noqa: PLC0415 - only where it is asked
    from rackwright.models.fit import Wish, attempts  # noqa: PLC0415

    build = target.build
    if build and build["model"] in models.models and build["quantisation"] in models.quantisations:
        model = models.models[build["model"]]
        wish = Wish(context, parallel, "llama_cpp", build["quantisation"]).within(model)
        for plan in attempts(models, build["model"], Machine(None, 0), wish):
            return plan.memory.total_mib + prompt_cache_mb
    # roles/llama_cpp refuses less than this.
    return -(-int(target.model["size"]) // 2**20) + prompt_cache_mb + 64
