"""Where a container image is pulled from: its name says a registry, the site's sources another place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rackwright.bundle.images import parse


def sourced(image: Any, sources: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever the role gave; it is checked later
    """Return an image as a role gives it, with its name at the place that the site pulls from.

    An image of an archive, or one that is not pinned by a digest, is returned as it is.

    Args:
        image: Mapping with `name`, as `container_service` takes it.
        sources: The site's.
    """
    registries = sources.get("registries") or {}
    name = str(image.get("name", "")) if isinstance(image, Mapping) else ""
    if not registries or "@sha256:" not in name or image.get("archive"):
        return image
    reference = parse(name)
    instead = registries.get(reference.registry)
    if instead:
        return {**image, "name": f"{instead}/{reference.repository}@sha256:{reference.digest}"}
    if registries.get("*"):
        # One place for all registries keeps them apart by their names.
        place = f"{registries['*']}/{reference.registry.replace(':', '_')}"
        return {**image, "name": f"{place}/{reference.repository}@sha256:{reference.digest}"}
    return image
