"""What a workflow is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from rackwright_app.texts import Text

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Template = Annotated[Text, Field(min_length=1, max_length=20_000)]
MOST_STEPS = 32


class _Step(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: Name
    next: Annotated[
        Name | None, Field(description="A later step to go on with; the following one without it.")
    ] = None


class LlmStep(_Step):
    """Asks the model; its output is the answer."""

    type: Literal["llm"]
    prompt: Template
    system: Annotated[Template | None, Field(description="Stands before the prompt.")] = None

    def templates(self) -> Iterator[str]:
        """Yields its templates."""
        yield self.prompt
        if self.system is not None:
            yield self.system


class RetrieveStep(_Step):
    """Searches the caller's documents; its output is a list of sources."""

    type: Literal["retrieve"]
    query: Template
    top: Annotated[int | None, Field(ge=1, le=20)] = None
    threshold: Annotated[float | None, Field(ge=0, le=1)] = None
    documents: Annotated[list[UUID] | None, Field(max_length=50)] = None

    def templates(self) -> Iterator[str]:
        """Yields its templates."""
        yield self.query


class TransformStep(_Step):
    """Renders a template; its output is the text."""

    type: Literal["transform"]
    template: Template

    def templates(self) -> Iterator[str]:
        """Yields its templates."""
        yield self.template


class BranchStep(_Step):
    """Goes on with one of two later steps; its output is whether the condition held."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    type: Literal["branch"]
    condition: Annotated[Template, Field(alias="if", description="An expression, without braces.")]
    then: Name
    otherwise: Annotated[Name | None, Field(alias="else", description="The following step without it.")] = (
        None
    )

    def templates(self) -> Iterator[str]:
        """Yields its condition, as a template."""
        yield "{{ " + self.condition + " }}"


Step = Annotated[LlmStep | RetrieveStep | TransformStep | BranchStep, Field(discriminator="type")]


class Workflow(BaseModel):
    """Steps that run one after another; only branches and ``next`` leave steps out, and only forward."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Text, Field(max_length=100)] = ""
    steps: Annotated[list[Step], Field(min_length=1, max_length=MOST_STEPS)]


class WorkflowRequest(BaseModel):
    """A workflow and what it begins with. Templates know ``inputs`` and ``steps.<id>``."""

    model_config = ConfigDict(extra="forbid")

    workflow: Workflow
    inputs: Annotated[dict[Name, JsonValue], Field(max_length=32)] = Field(default_factory=dict)
    stream: bool = True
