"""What secrets a site needs: the typed form of group_vars/all/secrets.yml."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rackwright.errors import RackwrightError

# Letters and digits only: such a value needs no quoting in a URL, a shell, YAML, SQL or a unit file.
_ALPHABET = string.ascii_letters + string.digits


class SecretSpecification(BaseModel):
    """One secret.

    Attributes:
        length: Characters; each carries 5.95 bits, so the least allowed length has 142 bits.
        description: What it is good for.
        play: Which plays take a rotated value to the hosts, separated by commas.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    length: int = Field(ge=24, le=256)
    description: str = Field(min_length=1)
    play: str = Field(pattern=r"^[a-z_]+(,[a-z_]+)*$")

    def draw(self) -> str:
        """Return a new random value from the operating system's generator."""
        return "".join(secrets.choice(_ALPHABET) for _ in range(self.length))

    @property
    def plays(self) -> tuple[str, ...]:
        """Return the names of the plays that carry a new value to the hosts."""
        return tuple(self.play.split(","))


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    secrets: dict[str, SecretSpecification]


def load_specifications(path: Path) -> Mapping[str, SecretSpecification]:
    """Return the secrets that `path` (group_vars/all/secrets.yml) lists, by name.

    Raises:
        RackwrightError: The file cannot be read or says something that is not allowed.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        specifications = _File.model_validate(document).secrets
    except (OSError, yaml.YAMLError) as error:
        raise RackwrightError(f"{path}: {error}", hint="restore the file from the repository") from error
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise RackwrightError(
            f"{path}:\n  " + "\n  ".join(lines),
            hint="a secret is written as `name: {length: 24 to 256, description: text, play: name}`",
        ) from error
    for name in specifications:
        if not name.isidentifier() or name != name.lower():
            raise RackwrightError(
                f"{path}: {name!r} is no name for a secret",
                hint="use lower-case letters, digits and underscores; it becomes the variable vault_<name>",
            )
    return specifications


def variable_name(name: str) -> str:
    """Return the name of the Ansible variable that holds the secret `name`."""
    return f"vault_{name}"
