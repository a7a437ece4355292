"""Where a build's files are, for hosts that get them: a store, a bundle, or a mirror that they reach."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

from pydantic import ValidationError

from rackwright.models.store.files import Manifest, StoredFile, StoreError
from rackwright.models.store.folders import MANIFEST

# Licences that ask nothing of who serves the model.
FREE_LICENCES = frozenset({"Apache-2.0", "MIT", "BSD-3-Clause", "CC0-1.0"})
_SECONDS = 20
Source: TypeAlias = Callable[[StoredFile], str]


def build_of(model: str, quantisation: str | None, places: Sequence[str]) -> dict[str, Any]:
    """Return a build's manifest with a `source` for each file, from the first place that has it.

    Args:
        model: The model.
        quantisation: Its build; None where the first of the first place that has the model is meant, which
            a mirror cannot tell.
        places: Directories (a store of `rackwright models`, a bundle) and URLs of mirrors.

    Raises:
        StoreError: No place has it, or its manifest cannot be read.
    """
    answers = []
    for place in places:
        found = _mirror(place, model, quantisation) if "://" in place else _folder(place, model, quantisation)
        if isinstance(found, dict):
            return found
        answers.append(found)
    what = f"{model} in {quantisation}" if quantisation else model
    told = "\n  ".join(answers) or "no place is known"
    raise StoreError(
        f"{what} is nowhere that hosts get models from:\n  {told}",
        hint="bring it into the store (`rackwright models pull` or `import`) and let models_store name it, "
        "or name a folder or mirror in model_sources",
    )


def check_licence(build: dict[str, Any], accepted: Sequence[str]) -> None:
    """Refuse a build whose licence asks something that nobody has agreed to.

    Raises:
        StoreError: It does.
    """
    licence = str(build["licence"])
    if licence not in FREE_LICENCES and licence not in accepted:
        raise StoreError(
            f"{build['model']} is under the licence {licence!r}, which the site has not accepted",
            hint=f"read it; if its terms suit you, write models_accept_licences: [{json.dumps(licence)}]",
        )


def _folder(place: str, model: str, quantisation: str | None) -> dict[str, Any] | str:
    root = Path(place)
    stored = sorted((root / "models" / model).glob(f"{quantisation or '*'}.json"))
    carried = sorted((root / model).glob(f"{quantisation or '*'}/{MANIFEST}"))
    if stored:
        return _with_sources(stored[0], lambda each: str(root / "blobs" / each.sha256))
    if carried:
        return _with_sources(carried[0], lambda each: str(carried[0].parent / each.path))
    return f"{place}: it has no {model}" + (f" in {quantisation}" if quantisation else "")


def _mirror(place: str, model: str, quantisation: str | None) -> dict[str, Any] | str:
    if quantisation is None:
        return f"{place}: name the build, a mirror cannot list them"
    base = f"{place.rstrip('/')}/{quote(model)}/{quote(quantisation)}"
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{base}/{MANIFEST}", timeout=_SECONDS) as stream:
            text = stream.read().decode()
    except (urllib.error.URLError, OSError, ValueError) as error:
        return f"{base}: {error}"
    return _parsed(base, text, lambda each: f"{base}/{quote(each.path)}")


def _with_sources(path: Path, source: Source) -> dict[str, Any]:
    return _parsed(str(path), path.read_text(encoding="utf-8"), source)


def _parsed(where: str, text: str, source: Source) -> dict[str, Any]:
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise StoreError(f"{where} is no manifest: {first['msg']}", hint="make it again") from error
    build = manifest.model_dump(mode="json")
    for each, stored in zip(build["files"], manifest.files, strict=True):
        each["source"] = source(stored)
    return build
