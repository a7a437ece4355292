"""Filters of the roles ollama and vllm: what their containers and models are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from rackwright.engines.ollama import asked_model, brought_files, wanted_models
from rackwright.engines.vllm import Host, instances_of
from rackwright.errors import RackwrightError
from rackwright.site.plain import plain


def ollama_files(models: Sequence[Mapping[str, Any]], directory: str) -> list[dict[str, str]]:
    """Return the items of `artifact` for models whose file comes from elsewhere."""
    return brought_files(plain(models), str(directory))


def ollama_wanted(models: Sequence[Mapping[str, Any]], directory: str) -> list[dict[str, Any]]:
    """Return the items of `ollama_models`."""
    try:
        return wanted_models(plain(models), str(directory))
    except RackwrightError as error:
        raise AnsibleFilterError(f"{error.message}; {error.hint}") from None


def ollama_asked(models: Sequence[Mapping[str, Any]]) -> str:
    """Return the model that is asked for a token."""
    return asked_model(plain(models))


def vllm_instances(given: Sequence[Mapping[str, Any]], host: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the instances as they run; `host` has the fields of `rackwright.engines.vllm.Host`."""
    try:
        return instances_of(plain(given), Host(**plain(host)))
    except RackwrightError as error:
        raise AnsibleFilterError(f"{error.message}; {error.hint}") from None


class FilterModule:
    """What Ansible finds in this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "ollama_asked": ollama_asked,
            "ollama_files": ollama_files,
            "ollama_wanted": ollama_wanted,
            "vllm_instances": vllm_instances,
        }
