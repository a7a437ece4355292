"""LocalAI's configuration of models, from what its role is given.

Field names are those of LocalAI's documentation, "Model Configuration". It is written as JSON, which is
YAML too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rackwright.errors import RackwrightError

MODELS = "/models"
# Would have LocalAI fetch something; and `parameters` would move the file.
_FORBIDDEN = frozenset({"artifacts", "download_files", "parameters", "proxy", "mcp"})
_OURS = frozenset({"name", "backend", "context_size", "gpu_layers", "embeddings", "options"})
_ALL_LAYERS = 999


class Model(BaseModel):
    """A model as the role's option `localai_models` has it.

    Attributes:
        name: By which callers ask for it.
        also: Further names by which callers may ask for it.
        source: Its GGUF file, a path on the control node or a URL; needs sha256.
        path: Its GGUF file on the host, where something else brought it.
        sha256: Checksum of the file.
        backend: What computes it; must be among the image's or the site's backends.
        context: Tokens of one request; 0: what the role says for all.
        embedding: Whether it makes embeddings.
        extra: Further fields of LocalAI's configuration, such as `template` or `stopwords`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$")]
    also: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$")]] = []
    source: Annotated[str, Field(pattern=r"^(/|https?://)")] = ""
    path: Annotated[str, Field(pattern=r"^(/[^:]+)?$")] = ""
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    backend: str = "llama-cpp"
    context: Annotated[int, Field(ge=0)] = 0
    embedding: bool = False
    extra: dict[str, Any] = {}

    @model_validator(mode="after")
    def _has_one_file(self) -> Self:
        if bool(self.source) == bool(self.path):
            raise ValueError("needs `source` (with sha256) or `path`, one of the two")
        if self.source and not self.sha256:
            raise ValueError("`source` needs the file's sha256")
        if forbidden := sorted(set(self.extra) & (_FORBIDDEN | _OURS)):
            raise ValueError(f"extra: {', '.join(forbidden)}: the role sets it, or it would fetch something")
        return self

    @property
    def file(self) -> str:
        """Name of its file in the container, by its content where that is known."""
        slug = re.sub(r"[^A-Za-z0-9._-]+", "-", self.name)
        return f"{slug}-{self.sha256[:12]}.gguf" if self.sha256 else f"{slug}.gguf"


def models_of(given: Sequence[Mapping[str, Any]]) -> list[Model]:
    """Check the role's models.

    Raises:
        RackwrightError: One cannot be used as it is written, or a name is there twice.
    """
    models: list[Model] = []
    for number, entry in enumerate(given):
        try:
            models.append(Model.model_validate(entry))
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in ("localai_models", number, *problem["loc"]))
            said = problem["msg"].removeprefix("Value error, ")
            what = entry.get("name", "?") if not problem["loc"] else repr(problem.get("input"))
            raise RackwrightError(
                f"{place}: {what}: {said}", hint="roles/localai/README.md has the options"
            ) from None
    files = [model.file for model in models]
    if twice := [model.name for model in models if files.count(model.file) > 1]:
        raise RackwrightError(
            f"localai_models: {twice[0]!r} is there twice", hint="give each model a name of its own"
        )
    return models


def configuration(
    given: Sequence[Mapping[str, Any]], *, context: int, parallel: int, gpu: bool, directory: str
) -> dict[str, Any]:
    """Return what the container needs for its models.

    Args:
        given: The role's models.
        context: Tokens of one request.
        parallel: Requests that a model computes at the same time; its context is shared among them.
        gpu: Whether layers go to GPUs.
        directory: Where files that are brought lie on the host.

    Returns:
        text: LocalAI's file of models; artifacts: [{dest, source, sha256}], what is brought; volumes: the
        container's, one for each file; chat, embeddings: names of the models.
    """
    models = models_of(given)
    entries = [_entry(model, model.context or context, parallel, gpu) for model in models]
    # LocalAI answers to a further name by an entry that has no file of its own.
    names = {model.name for model in models}
    aliases = {name: model.name for model in models for name in model.also if name not in names}
    entries += [{"name": name, "alias": target} for name, target in aliases.items()]
    places = {model.name: model.path or f"{directory}/{model.file}" for model in models}
    return {
        "text": json.dumps(entries, indent=1) + "\n",
        "artifacts": [
            {"dest": places[model.name], "source": model.source, "sha256": model.sha256}
            for model in models
            if model.source
        ],
        "volumes": [{"source": places[model.name], "target": f"{MODELS}/{model.file}"} for model in models],
        "chat": [model.name for model in models if not model.embedding],
        "embeddings": [model.name for model in models if model.embedding],
    }


def _entry(model: Model, context: int, parallel: int, gpu: bool) -> dict[str, Any]:
    return {
        "name": model.name,
        "backend": model.backend,
        "parameters": {"model": model.file},
        # llama.cpp cuts one context into a part for each request.
        "context_size": context * parallel,
        "gpu_layers": _ALL_LAYERS if gpu else 0,
        "options": [f"parallel:{parallel}"],
        **({"embeddings": True} if model.embedding else {}),
        **model.extra,
    }
