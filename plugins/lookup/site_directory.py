"""Where the site's own files are: its vault, its authority, its dashboards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible import context
from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from rackwright.errors import RackwrightError
from rackwright.secrets.location import site_directory

DOCUMENTATION = r"""
name: site_directory
short_description: Where the site's own files are
description:
  - The last inventory source that is a directory, which owns the vault and the authority.
  - C(inventory_dir) is each host's own, and another's for a host that an inventory laid over it names.
options:
  _terms:
    description: Parts of a path below it; each gives a path. Without any it is the directory.
    type: list
    elements: str
"""

EXAMPLES = r"""
- ansible.builtin.debug: {msg: "{{ lookup('site_directory', 'pki/ca.pem') }}"}
"""

RETURN = r"""
_raw: {description: Absolute paths., type: list, elements: path}
"""


class LookupModule(LookupBase):  # type: ignore[misc]  # Ansible ships no types
    """What Ansible asks for the lookup of this file."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **_: Any) -> list[str]:  # noqa: ANN401 - as Ansible calls it
        """Return the paths.

        Args:
            terms: Parts below the directory.
            variables: The host's; the sources are among them where no command line of Ansible's names any.
        """
        named = context.CLIARGS.get("inventory") or (variables or {}).get("ansible_inventory_sources") or ()
        try:
            directory = site_directory([Path(source) for source in named])
        except RackwrightError as error:
            raise AnsibleLookupError(f"site_directory: {error}") from error
        return [str(directory.absolute() / term) for term in terms or ["."]]
