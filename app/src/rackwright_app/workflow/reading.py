"""Reads a request that is written in YAML or JSON."""

from __future__ import annotations

from typing import Any

import yaml
from pydantic import ValidationError

from rackwright_app.workflow.model import WorkflowRequest


class ReadError(Exception):
    """The text is no workflow; the message is for its author."""


class _Loader(yaml.SafeLoader):
    """YAML without aliases: a few lines of them can stand for more than any memory holds."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:  # noqa: ANN401
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not taken")
        return super().compose_node(parent, index)


def read_request(text: bytes, *, is_yaml: bool) -> WorkflowRequest:
    """Reads a request.

    Args:
        text: The body.
        is_yaml: It is YAML, not JSON.

    Raises:
        ReadError: It is neither, or no workflow; where and why, never what.
    """
    try:
        if not is_yaml:
            return WorkflowRequest.model_validate_json(text)
        # The loader's own types, dates for instance, are none of JSON's: they are refused below.
        return WorkflowRequest.model_validate(yaml.load(text.decode(), _Loader))  # noqa: S506 - a SafeLoader
    except ValidationError as error:
        reasons = [
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False, include_context=False)
        ]
        raise ReadError("; ".join(reasons[:20])) from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ReadError(f"the body cannot be read: {str(error).splitlines()[0][:200]}") from error
