"""`mongodb_objects` needs nothing on the control node; its module stays on the hosts."""

from rackwright.remote.plain import ActionModule

__all__ = ["ActionModule"]
