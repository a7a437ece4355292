"""What an operator does with a site's secrets: make, list, rotate and read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rackwright.errors import RackwrightError
from rackwright.pki.authority import Authority
from rackwright.pki.location import pki_directory
from rackwright.secrets.atomic import locked
from rackwright.secrets.location import (
    password_path,
    site_directory,
    specification_path,
    vault_path,
)
from rackwright.secrets.specification import SecretSpecification, load_specifications, variable_name
from rackwright.secrets.vault import Vault, create_password, read_password
from rackwright.site.sources import strongest_directory

# Of a value that somebody else drew: shorter ones are guessed.
LEAST_GIVEN, MOST_GIVEN = 12, 512
_CA_PASSPHRASE = "ca_passphrase"  # noqa: S105 - the name of a secret


@dataclass(frozen=True)
class Initialised:
    """What `initialise` did.

    Attributes:
        vault: The vault file.
        password_file: The vault password file.
        password_created: Whether the password file is new.
        added: Names of the secrets that got a value; empty when nothing changed.
    """

    vault: Path
    password_file: Path
    password_created: bool
    added: tuple[str, ...]


@dataclass(frozen=True)
class SecretState:
    """A secret as it may be shown to anyone: never with its value."""

    name: str
    description: str
    plays: tuple[str, ...]
    is_set: bool


def initialise(sources: Sequence[Path]) -> Initialised:
    """Give a random value to every secret that the site's vault lacks; a second call changes nothing.

    Args:
        sources: The inventory's sources; see `strongest_directory` for which one gets the vault.

    Raises:
        RackwrightError: The vault is there but not its password, or one of the files is not sound.
    """
    specifications = load_specifications(specification_path())
    path = vault_path(strongest_directory(sources))
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.parent):
        password_file = password_path()
        password, created = _password_for(path, password_file)
        vault = Vault(path, password)
        document = vault.read()
        missing = [name for name in specifications if not document.get(variable_name(name))]
        for name in missing:
            document[variable_name(name)] = specifications[name].draw()
        if missing:
            vault.write(document)
    return Initialised(path, password_file, created, tuple(missing))


def rotate(name: str, sources: Sequence[Path]) -> SecretSpecification:
    """Draw a new value for one secret and keep all others; return its specification, for the plays to run.

    Raises:
        RackwrightError: There is no such secret, or no vault to change.
    """
    specification = _specification(name)
    _replace(name, specification.draw(), sources)
    return specification


def put(name: str, value: str, sources: Sequence[Path]) -> SecretSpecification:
    """Give one secret a value that somebody else drew; return its specification, for the plays to run.

    Raises:
        RackwrightError: There is no such secret, no vault to change, or the value cannot be a secret.
    """
    specification = _specification(name)
    if not LEAST_GIVEN <= len(value) <= MOST_GIVEN or not value.isprintable() or not value.isascii():
        raise RackwrightError(
            f"what was given for {name} is no secret: it must be one line of {LEAST_GIVEN} to {MOST_GIVEN} "
            "printable ASCII characters",
            hint=f"rackwright secrets set {name} < file-with-the-value",
            exit_code=2,
        )
    _replace(name, value, sources)
    return specification


def _replace(name: str, new: str, sources: Sequence[Path]) -> None:
    path = vault_path(site_directory(sources))
    _require(path)
    with locked(path.parent):
        vault = Vault(path, read_password(password_path()))
        document = vault.read()
        old = document.get(variable_name(name))
        document[variable_name(name)] = new
        if name == _CA_PASSPHRASE and old:
            # The value is needed to open something: what it opens must change with it, or is lost.
            with Authority(pki_directory(sources)).passphrase_changed(str(old), new):
                vault.write(document)
        else:
            vault.write(document)


def states(sources: Sequence[Path]) -> list[SecretState]:
    """Return all secrets of the site and whether each is set, without their values.

    Raises:
        RackwrightError: A vault is there and cannot be opened.
    """
    values = _values(sources)
    return [
        SecretState(
            name, specification.description, specification.plays, bool(values.get(variable_name(name)))
        )
        for name, specification in load_specifications(specification_path()).items()
    ]


def value_of(name: str, sources: Sequence[Path]) -> str:
    """Return the value of one secret; the last source that sets it wins, as with Ansible.

    Raises:
        RackwrightError: There is no such secret, or it has no value.
    """
    _specification(name)
    _require(vault_path(site_directory(sources)), *map(vault_path, _directories(sources)))
    value = _values(sources).get(variable_name(name))
    if not isinstance(value, str) or not value:
        raise RackwrightError(
            f"{name} has no value in the site's vault", hint="rackwright secrets init -i <inventory>"
        )
    return value


def _directories(sources: Sequence[Path]) -> list[Path]:
    found = [source if source.is_dir() else source.parent for source in sources]
    return list(dict.fromkeys(found))


def _values(sources: Sequence[Path]) -> Mapping[str, object]:
    paths = [path for path in map(vault_path, _directories(sources)) if path.exists()]
    if not paths:
        return {}
    password = read_password(password_path())
    merged: dict[str, object] = {}
    for path in paths:
        merged.update(Vault(path, password).read())
    return merged


def _specification(name: str) -> SecretSpecification:
    specifications = load_specifications(specification_path())
    if name not in specifications:
        raise RackwrightError(
            f"there is no secret {name!r}", hint=f"one of: {', '.join(sorted(specifications))}", exit_code=2
        )
    return specifications[name]


def _require(*paths: Path) -> None:
    if not any(path.exists() for path in paths):
        raise RackwrightError(f"{paths[0]}: no such vault", hint="rackwright secrets init -i <inventory>")


def _password_for(vault: Path, password_file: Path) -> tuple[bytes, bool]:
    """Return the password and whether it is new; a new one is never made beside an existing vault."""
    if vault.exists() or password_file.exists():
        return read_password(password_file), False
    try:
        return create_password(password_file), True
    except FileExistsError:
        # Another site's `init` was quicker; its password serves this site, too.
        return read_password(password_file), False
