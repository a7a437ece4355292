"""The rule of versions.yml: whatever enters a host is pinned exactly."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from rackwright.catalogue.findings import Finding, short
from rackwright.site.plain import Value

SHA256 = re.compile(r"^[0-9a-f]{64}$")
DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")
IMAGE_WITH_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
# An exact version begins with a digit (after `v` at most) and has nothing of a range in it.
EXACT = re.compile(r"^v?\d[0-9A-Za-z.+~:_-]*$")
WILDCARD = re.compile(r"(^|[.\-])[xX*]($|[.\-])")
MOVING = frozenset({"latest", "stable", "main", "master", "edge", "nightly"})


def version_findings(versions: Value, where: str = "") -> Iterator[Finding]:
    """Yield a finding for everything in `versions` that may turn out as something else tomorrow.

    Args:
        versions: The variable `versions`: name -> entry, a mapping.
        where: Where it was set, for the findings.
    """
    if not isinstance(versions, Mapping):
        yield Finding(
            "versions", short(versions), "it must be a mapping of names to entries", "see versions.yml", where
        )
        return
    for name, entry in versions.items():
        at = f"versions.{name}"
        if not isinstance(entry, Mapping):
            yield Finding(
                at, short(entry), "an entry is a mapping", f'write {name}: {{version: "1.2.3", …}}', where
            )
            continue
        if not any(_is_version_key(key) or key == "digest" for _, key, _ in _walk(at, entry)):
            yield Finding(
                at, "(no version)", "every entry carries an exact version", 'add version: "1.2.3"', where
            )
        for path, key, holder in _walk(at, entry):
            yield from _value_findings(path, key, holder, where)


def _walk(at: str, entry: Mapping[str, Value]) -> Iterator[tuple[str, str, Mapping[str, Value]]]:
    for key, value in entry.items():
        if isinstance(value, Mapping):
            yield from _walk(f"{at}.{key}", value)
        else:
            yield f"{at}.{key}", str(key), entry


def _is_version_key(key: str) -> bool:
    return key == "version" or key.endswith("_version")


def _value_findings(path: str, key: str, holder: Mapping[str, Value], where: str) -> Iterator[Finding]:
    value = holder[key]
    text = "" if value is None else str(value)
    shown = short(text) or "(empty)"
    if _is_version_key(key):
        if not isinstance(value, str) and value is not None:
            yield Finding(
                path, shown, "a version is text: as a number 1.10 would become 1.1", f'write "{text}"', where
            )
        elif not EXACT.match(text) or WILDCARD.search(text):
            yield Finding(
                path,
                shown,
                "a version is exact: no `latest`, no range, no wildcard, not empty",
                'write the full version, e.g. "1.2.3"',
                where,
            )
    elif text.lower() in MOVING:
        yield Finding(
            path, shown, "a name that moves pins nothing", "write the exact version or digest", where
        )
    if key == "url" and not SHA256.match(str(holder.get("sha256", ""))):
        yield Finding(
            path,
            shown,
            "a URL needs `sha256` beside it: 64 hexadecimal digits",
            "download it once from a source that you trust, run sha256sum, write sha256: <the sum>",
            where,
        )
    if key == "image" and not (DIGEST.match(str(holder.get("digest", ""))) or IMAGE_WITH_DIGEST.search(text)):
        yield Finding(
            path,
            shown,
            "a container image needs `digest` beside it, or @sha256:… in its name",
            "write digest: sha256:<64 hexadecimal digits> (docker buildx imagetools inspect prints it)",
            where,
        )
