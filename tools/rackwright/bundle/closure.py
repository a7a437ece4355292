"""Works out what a site needs from its inventory and the project's data; nothing is asked of any host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rackwright.bundle import drivers, systems
from rackwright.bundle.manifest import BundleError
from rackwright.bundle.systems import PackageSet, System
from rackwright.catalogue.plan import packages_of, roles_of
from rackwright.errors import RackwrightError
from rackwright.site.inventory import Inventory
from rackwright.site.load import site_of
from rackwright.site.paths import repository_root
from rackwright.site.role_packages import declared_in, for_system

# Of the control node: what `make venv`, the vault, backups of keys and this bundle itself stand on.
CONTROL_PACKAGES = (
    "python3",
    "python3-venv",
    "openssh-client",
    "git",
    "ca-certificates",
    "gpg",
    "gpgv",
    "rsync",
)


@dataclass(frozen=True)
class File:
    """A file that a host gets by its checksum.

    Attributes:
        name: What it is, for people.
        source: Path on this machine, or URL.
        sha256: Of its content.
        version: Of it, where it is said.
    """

    name: str
    source: str
    sha256: str
    version: str = ""


@dataclass(frozen=True)
class Wanted:
    """All that a site needs.

    Attributes:
        site: Its name.
        systems: What its hosts run.
        packages: By host, each set once.
        images: Pinned names, `registry/name@sha256:…`.
        archives: Images as files of this machine (`docker save`), by name.
        files: Files with a checksum.
        models: Builds: (model, quantisation).
        locks: Directories with a lock of Python packages that run on hosts.
        notes: What whoever builds should know.
    """

    site: str
    systems: tuple[System, ...]
    packages: tuple[PackageSet, ...]
    images: tuple[str, ...]
    archives: tuple[File, ...]
    files: tuple[File, ...]
    models: tuple[tuple[str, str], ...]
    locks: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def wanted(inventory: Inventory) -> Wanted:
    """Return what a site needs.

    Raises:
        RackwrightError: The inventory cannot be put together, or a role supports none of the site's systems.
    """
    site = site_of(inventory)
    variables = inventory.site_variables()
    chosen = tuple(systems.parse(text) for text in variables["bundle_systems"])
    if not chosen:
        raise BundleError(
            "bundle_systems is empty", hint="write what the hosts run, such as [debian-13/amd64]"
        )
    services = {name: site.services_of(name).values() for name in site.hosts}
    roles = {name: roles_of(here) for name, here in services.items()}
    further = {name: packages_of(here) for name, here in services.items()}
    images: dict[str, None] = {}
    archives: dict[str, File] = {}
    files: dict[str, File] = {}
    models: dict[tuple[str, str], None] = {}
    for host, its_roles in roles.items():
        values = inventory.hosts[host].variables
        for role in its_roles:
            _image(role, values, images, archives)
        files |= {each.sha256: each for each in _given_files(its_roles, values)}
        for build in _value(values, "models_wanted") or ():
            models[build["model"], str(build.get("quantisation") or "")] = None
    every_role = {role for its_roles in roles.values() for role in its_roles}
    for name, entry in (variables["versions"] or {}).items():
        if {"image", "digest"} <= set(entry) and (name in every_role or not _has_role(name)):
            images[f"{entry['image']}@{entry['digest']}"] = None
        if {"url", "sha256"} <= set(entry):
            files[entry["sha256"]] = File(name, entry["url"], entry["sha256"], str(entry.get("version", "")))
    return Wanted(
        site=site.name,
        systems=chosen,
        packages=tuple(_package_sets(inventory, roles, further, chosen)),
        images=tuple(sorted(images)),
        archives=tuple(archives[key] for key in sorted(archives)),
        files=tuple(files[key] for key in sorted(files)),
        models=tuple(sorted(models)),
        locks=tuple(_locks(every_role)),
        notes=tuple(
            note
            for host in inventory.members("gpu")
            for note in drivers.notes(host, inventory.hosts[host].variables)
        ),
    )


def _package_sets(
    inventory: Inventory,
    roles: Mapping[str, list[str]],
    further: Mapping[str, list[str]],
    chosen: tuple[System, ...],
) -> Iterator[PackageSet]:
    found: dict[PackageSet, None] = {}
    for system in chosen:
        sets = [PackageSet(system, tuple(sorted(CONTROL_PACKAGES)))]
        for host, its_roles in roles.items():
            found_names = {*further[host], *_names(its_roles, system, host, several=len(chosen) > 1)}
            sets.append(PackageSet(system, tuple(sorted(found_names))))
        for host in inventory.members("gpu"):
            sets += drivers.driver_sets(host, inventory.hosts[host].variables, system)
        found |= dict.fromkeys(each for each in sets if each.names)
    yield from found


def _names(roles: list[str], system: System, host: str, *, several: bool) -> Iterator[str]:
    """Yield the packages of a host's roles.

    Where a site has several systems, nobody says which host runs which: a role that does not support one of
    them is then no mistake.
    """
    for role in roles:
        declared = declared_in(repository_root() / "roles" / role)
        try:
            entry = for_system(role, declared, (system.name, system.distribution, "default"))
        except RackwrightError as error:
            if several:
                continue
            raise BundleError(f"host {host}: {error.message}", error.hint) from error
        yield from (*entry["install"], *entry["optional"])


def _image(role: str, values: Mapping[str, Any], images: dict[str, None], archives: dict[str, File]) -> None:
    image = _value(values, f"{role}_image")
    if not isinstance(image, Mapping) or "name" not in image:
        return
    if image.get("archive"):
        name, sha256 = str(image["name"]), str(image["sha256"])
        archives[sha256] = File(name, str(image["archive"]), sha256, str(image.get("package_version") or ""))
    elif "@sha256:" in str(image["name"]):
        images[str(image["name"])] = None


def _given_files(roles: list[str], values: Mapping[str, Any]) -> Iterator[File]:
    """Yield what a role is given by path or URL, with a checksum: its program's release, files of models."""
    for role in roles:
        release = _value(values, f"{role}_release")
        if isinstance(release, Mapping) and {"source", "sha256"} <= set(release):
            yield File(role, str(release["source"]), str(release["sha256"]))
        given = [_value(values, f"{role}_model"), *(_value(values, f"{role}_models") or ())]
        for model in filter(lambda each: isinstance(each, Mapping), given):
            source = model.get("file") or model.get("source")
            if source and model.get("sha256"):
                yield File(str(model.get("name", role)), str(source), str(model["sha256"]))


def _value(values: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - whatever the site says
    return values.get(name)


def _has_role(name: str) -> bool:
    return (repository_root() / "roles" / name).is_dir()


def _locks(roles: set[str]) -> Iterator[Path]:
    root = repository_root()
    if "app" in roles:
        yield root / "app"
    for role in sorted(roles):
        if (root / f"roles/{role}/files/requirements.lock").is_file():
            yield root / f"roles/{role}/files"
