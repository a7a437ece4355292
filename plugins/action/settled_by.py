"""`settled_by` needs nothing on the control node; its module stays on the hosts."""

from rackwright.remote import plain


class ActionModule(plain.ActionModule):
    """The host is not asked when it has verified that nothing was touched since all was in force."""

    decides_here = "verified"
