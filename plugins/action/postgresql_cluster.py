"""`postgresql_cluster` needs nothing on the control node; its module stays on the hosts."""

from rackwright.remote.plain import ActionModule as PlainAction


class ActionModule(PlainAction):
    """As Ansible runs a module, unless the host has verified the cluster."""

    decides_here = "verified"
