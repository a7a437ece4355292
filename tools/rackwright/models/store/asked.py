"""What a command line or a site asks of the store: sources, builds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from rackwright.catalogue.findings import Finding, FindingsError
from rackwright.catalogue.load import parse
from rackwright.models.catalogue import models_of, project_models
from rackwright.models.model import Models
from rackwright.models.store.files import Manifest, StoreError
from rackwright.models.store.settings import SourceSettings
from rackwright.models.store.store import Store

VARIABLE = "model_sources"
# The same, and those of the site's source profile.
KNOWN = "known_model_sources"
_ONE: TypeAdapter[SourceSettings] = TypeAdapter(SourceSettings)
_SOURCES: TypeAdapter[list[SourceSettings]] = TypeAdapter(list[SourceSettings])


def sources_of(value: object) -> list[SourceSettings]:
    """Return the sources that a site's variable `model_sources` holds.

    Raises:
        FindingsError: Anything in it is wrong.
    """
    findings: list[Finding] = []
    sources = parse(_SOURCES, VARIABLE, value or [], findings)
    if findings or sources is None:
        raise FindingsError(findings)
    return sources


def parse_source(text: str) -> SourceSettings:
    """Return the source of `folder=/srv/bundle`, `ollama=https://…`.

    Raises:
        StoreError: It is none.
    """
    kind, _, place = text.partition("=")
    try:
        return _ONE.validate_python({"kind": kind, "path" if kind == "folder" else "url": place})
    except ValidationError as error:
        raise StoreError(
            f"{text!r} is no source",
            hint="write folder=/srv/bundle, or mirror, ollama, huggingface, modelscope=URL",
        ) from error


def models_and_sources(
    inventory: Sequence[Path], origins: Sequence[str]
) -> tuple[Models, list[SourceSettings]]:
    """Return the models and sources of a site, or of the command line where that names some.

    Raises:
        RackwrightError: A source or the inventory cannot be understood.
    """
    named = [parse_source(text) for text in origins]
    if not inventory:
        return project_models(), named
    # Loads Ansible, which takes a second.
    from rackwright.site.inventory import load_inventory  # noqa: PLC0415

    variables = load_inventory(inventory).site_variables()
    return models_of(variables), named or sources_of(variables.get(KNOWN))


def chosen(store: Store, model: str | None, quantisation: str | None) -> list[Manifest]:
    """Return the builds in the store that are meant: all of a model where none is named, all without a model.

    Raises:
        StoreError: There is none.
    """
    found = [
        manifest
        for manifest in store.manifests()
        if model in {None, manifest.model} and quantisation in {None, manifest.quantisation}
    ]
    if not found and model is not None:
        what = f"{model} in {quantisation}" if quantisation else model
        raise StoreError(f"{what} is not in {store.root}", hint="`rackwright models stored` lists what is")
    return found
