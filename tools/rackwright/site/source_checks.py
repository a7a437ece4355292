"""Checks of where a site's software comes from; of a bundle also whether it is whole and whose it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from rackwright.catalogue.findings import Finding, short
from rackwright.errors import RackwrightError
from rackwright.site.inventory import Inventory
from rackwright.site.known import nearest
from rackwright.site.plain import Value

GROUP = "mirror"
_URL = re.compile(r"https?://[^/\s]+(/[^\s]*)?")
# So many damaged files are told by name; a bundle from a bad disk may have thousands.
_TOLD = 10

Get = Callable[[str], Value]


def source_findings(inventory: Inventory, get: Get) -> Iterator[Finding]:
    """Yield what is wrong with `source_profile` and what goes with it.

    Args:
        inventory: The site's.
        get: Gives a variable; None for one that cannot be templated, which is told elsewhere.
    """
    profiles, chosen = get("source_profiles"), get("source_profile")
    if not isinstance(profiles, Mapping) or chosen is None:
        return
    if chosen not in profiles:
        meant = nearest(str(chosen), profiles) or "upstream"
        rule = f"there is no profile of this name; there are {', '.join(profiles)}"
        yield Finding("source_profile", short(chosen), rule, f"write `source_profile: {meant}`")
        return
    yield from _override_findings(get("source_overrides"), profiles[chosen])
    mirror = get("source_mirror")
    if chosen == "mirror" and not _URL.fullmatch(str(mirror or "")):
        rule = "the profile mirror needs the base of the site's own mirror"
        yield Finding(
            "source_mirror",
            short(mirror),
            rule,
            'write e.g. source_mirror: "https://mirror.example.internal"',
        )
    if chosen == "bundle":
        yield from bundle_findings(inventory, get)


def _override_findings(overrides: Value, profile: Mapping[str, Value]) -> Iterator[Finding]:
    if not isinstance(overrides, Mapping):
        yield Finding(
            "source_overrides", short(overrides), "it must be a mapping", 'write {python: "https://…"}'
        )
        return
    for name in set(overrides) - set(profile):
        meant = nearest(str(name), profile) or next(iter(profile))
        rule = f"a profile has no such value; it has {', '.join(profile)}"
        yield Finding(f"source_overrides.{name}", short(overrides[name]), rule, f"did you mean {meant}?")


def bundle_findings(inventory: Inventory, get: Get) -> Iterator[Finding]:
    """Yield what stands in the way of a site that lives from a bundle, the bundle itself included.

    Args:
        inventory: The site's.
        get: Gives a variable.
    """
    hosts = inventory.members(GROUP)
    if len(hosts) != 1:
        rule = f"the profile bundle needs one host that serves it, and the group {GROUP} has {len(hosts)}"
        yield Finding("source_profile", "bundle", rule, f"put a host of the zone ops into the group {GROUP}")
    if get("package_proxy"):
        rule = "a site that lives from a bundle has no way out, and a proxy would be one"
        yield Finding("package_proxy", short(get("package_proxy")), rule, 'write package_proxy: ""')
    # Imported here: a site that lives from elsewhere pays nothing for it.
    from rackwright.bundle.verify import verify  # noqa: PLC0415

    directory, signer = str(get("bundle_directory") or ""), str(get("bundle_signer") or "")
    if not directory.startswith("/"):
        rule = "it must be the absolute path of the bundle on the control node"
        yield Finding("bundle_directory", short(directory), rule, "e.g. bundle_directory: /srv/bundle")
        return
    try:
        manifest, damages = verify(Path(directory), signer, remembered=True)
    except RackwrightError as error:
        yield Finding("bundle_directory", directory, error.message, error.hint or "copy the bundle again")
        return
    for damage in damages[:_TOLD]:
        hint = "copy the bundle again, or build it again; `rackwright bundle verify` names all"
        yield Finding("bundle_directory", damage.path, damage.what, hint, directory)
    systems = get("bundle_systems") or []
    for system in systems if isinstance(systems, list) else []:
        if system not in manifest.systems:
            rule = f"the bundle has packages for {', '.join(manifest.systems)} alone"
            yield Finding("bundle_systems", short(system), rule, "have a bundle built with this system in it")
