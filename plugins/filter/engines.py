"""Filters for engines: what the containers and models of ollama and vllm are told, and who asks whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from rackwright.catalogue.inference import VARIABLE
from rackwright.catalogue.inference import app_engine as asked_by_app
from rackwright.catalogue.inference import app_model as model_of_app
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


def app_engine(instances: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return whom the app asks where there is no route: {model, engine, urls}."""
    try:
        return asked_by_app(plain(instances))
    except RackwrightError as error:
        raise AnsibleFilterError(f"{error.message}; {error.hint}") from None


def app_model(instances: Sequence[Mapping[str, Any]]) -> str:
    """Return the model that the app asks for."""
    try:
        return model_of_app(plain(instances))
    except RackwrightError as error:
        raise AnsibleFilterError(f"{error.message}; {error.hint}") from None


def engine_containers(services: Mapping[str, Any], engine: str | None) -> list[str]:
    """Return the names, and patterns of names, of the containers of all engines but one."""
    engines = [
        str(service["when"][VARIABLE]) for service in services.values() if VARIABLE in service.get("when", {})
    ]
    return [
        pattern
        for name in engines
        if name != engine
        # Instances and second servers of `vllm`, the parts of `fastchat`.
        for pattern in (name, f"{name}_*", f"{name}-*")
    ]


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
            "app_engine": app_engine,
            "app_model": app_model,
            "engine_containers": engine_containers,
            "ollama_asked": ollama_asked,
            "ollama_files": ollama_files,
            "ollama_wanted": ollama_wanted,
            "vllm_instances": vllm_instances,
        }
