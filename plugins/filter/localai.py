"""Filter of the role localai: `models | localai_configuration(context=…, parallel=…, gpu=…, directory=…)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from rackwright.errors import RackwrightError
from rackwright.localai.configuration import configuration
from rackwright.site.plain import plain


def localai_configuration(
    models: Sequence[Mapping[str, Any]], *, context: int, parallel: int, gpu: bool, directory: str
) -> dict[str, Any]:
    """Return {text, artifacts, volumes, chat, embeddings}: what the container needs for its models."""
    try:
        return configuration(
            plain(models),
            context=int(context),
            parallel=int(parallel),
            gpu=bool(gpu),
            directory=str(directory),
        )
    except RackwrightError as error:
        raise AnsibleFilterError(f"{error.message}; {error.hint}") from None


class FilterModule:
    """What Ansible finds in this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"localai_configuration": localai_configuration}
