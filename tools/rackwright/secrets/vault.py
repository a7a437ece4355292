"""One site's vault file, read and written in this process: no value is ever in an argument list."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib, VaultSecret, is_encrypted
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from rackwright.errors import RackwrightError
from rackwright.secrets.atomic import write_atomically, write_once

_HEADER = "Written by `rackwright secrets`; edit with `ansible-vault edit`. Never commit it decrypted."
_PASSWORD_BYTES = 32


@dataclass(frozen=True)
class Vault:
    """A vault file and the password that opens it.

    Attributes:
        path: The file; it may not exist yet.
        password: The vault password's bytes.
    """

    path: Path
    password: bytes

    def __repr__(self) -> str:
        """Return a form without the password, which the generated one would show."""
        return f"Vault({str(self.path)!r})"

    def read(self) -> CommentedMap:
        """Return the decrypted document, with its comments; empty when there is no file.

        Raises:
            RackwrightError: The file is not encrypted, the password does not open it, or it is no mapping.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return self._empty()
        if not is_encrypted(data):
            raise RackwrightError(
                f"{self.path} is not encrypted",
                hint=f"ansible-vault encrypt {self.path}, and rotate what it held",
            )
        try:
            text = self._library().decrypt(data)
        except AnsibleError as error:
            raise RackwrightError(
                f"{self.path}: this control node's vault password does not open it",
                hint="bring the password file of the control node that made it "
                "(.vault-password, or let RACKWRIGHT_VAULT_PASSWORD_FILE name it)",
            ) from error
        try:
            document = YAML().load(text)
        except YAMLError:
            # The parser's own message quotes the line, and the line holds a secret.
            raise RackwrightError(f"{self.path}: no valid YAML inside", hint="ansible-vault edit") from None
        if document is None:
            return self._empty()
        if not isinstance(document, CommentedMap):
            raise RackwrightError(f"{self.path}: holds no `name: value` lines", hint="ansible-vault edit")
        return document

    def write(self, document: Mapping[str, object]) -> None:
        """Encrypt `document` and put it in place of the old vault, atomically and readable by the owner only.

        Raises:
            OSError: The directory cannot be written; the old vault is untouched.
        """
        stream = io.StringIO()
        writer = YAML()
        writer.explicit_start = True
        writer.dump(document, stream)
        encrypted: bytes = self._library().encrypt(stream.getvalue())
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, encrypted, 0o600)

    def _library(self) -> VaultLib:
        return VaultLib([("default", VaultSecret(self.password))])

    @staticmethod
    def _empty() -> CommentedMap:
        document = CommentedMap()
        document.yaml_set_start_comment(_HEADER)
        return document


def read_password(path: Path) -> bytes:
    """Return the vault password in `path`.

    Raises:
        RackwrightError: There is no such file, it is empty, or others may read it.
    """
    try:
        mode = path.stat().st_mode
        password = path.read_bytes().strip()
    except OSError as error:
        raise RackwrightError(
            f"the vault password file {path} cannot be read: {error.strerror}",
            hint="`rackwright secrets init -i <inventory>` makes it for a new site; "
            "for an existing site copy it from where its vault was made",
        ) from error
    if mode & 0o077:
        raise RackwrightError(f"{path} may be read by others than its owner", hint=f"chmod 600 {path}")
    if not password:
        raise RackwrightError(f"{path} is empty", hint="restore it from your backup of the control node")
    return password


def create_password(path: Path) -> bytes:
    """Make the vault password file with 256 random bits, for the owner only, and return the password.

    Raises:
        FileExistsError: It is there already; it is never overwritten.
    """
    password = base64.b64encode(os.urandom(_PASSWORD_BYTES))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_once(path, password + b"\n", 0o600)
    return password
