"""Hosts as their operator reaches them: by SSH with the inventory's key, root by sudo."""

from collections.abc import Mapping
from typing import Any

import testinfra
from testinfra.host import Host


def over_ssh(variables: Mapping[str, Any]) -> Host:
    """Returns a host of testinfra.

    Args:
        variables: What the inventory says of the host.
    """
    return testinfra.get_host(
        f"ssh://{variables['ansible_user']}@{variables['ansible_host']}",
        ssh_identity_file=variables["ansible_ssh_private_key_file"],
        ssh_extra_args=variables["ansible_ssh_common_args"],
        controlpersist=60,
        sudo=True,
    )
