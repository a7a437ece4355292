"""A site's `model_sources`: where models may come from, in the order in which they are asked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Url = Annotated[str, Field(pattern=r"^https?://[^\s/]+(/[^\s]*)?$")]


class _Source(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class FolderSource(_Source):
    """A local folder or an unpacked bundle."""

    kind: Literal["folder"]
    path: Annotated[str, Field(pattern=r"^/")] = Field(description="Of <model>/<quantisation>/manifest.json.")


class MirrorSource(_Source):
    """A web server of the site with the same tree as a folder."""

    kind: Literal["mirror"]
    url: Url


class RegistrySource(_Source):
    """Ollama's registry, or one that speaks its protocol."""

    kind: Literal["ollama"]
    url: Url
    token: str = Field(default="", description="Bearer token of a private registry.", repr=False)


class HubSource(_Source):
    """Hugging Face or ModelScope, or a mirror that speaks their API."""

    kind: Literal["huggingface", "modelscope"]
    url: Url
    token: str = Field(default="", description="Token of an account.", repr=False)
    revision: str = Field(default="", description="Branch, tag or commit; default: main, or master.")


SourceSettings = Annotated[
    FolderSource | MirrorSource | RegistrySource | HubSource, Field(discriminator="kind")
]
