"""The configuration of the proxy by which code, tools and HTTP nodes reach anything at all.

The release's own proxy refuses private networks and lets the rest of the internet through. On a site without
an internet it is the other way round: what is of use is in a private network, and so is what must not be
reached from a workflow: the databases, the hosts' management. So nothing passes but what the site names.
"""

from __future__ import annotations

from collections.abc import Sequence

from rackwright.dify.options import Reachable

_HEAD = """\
# Managed by Ansible (roles/dify): changes made here are lost.
http_port 3128
pid_filename none
cache deny all
cache_mem 8 MB
cache_log /dev/null
coredump_dir /tmp
visible_hostname dify-ssrf-proxy
httpd_suppress_version_string on
via off
forwarded_for delete
max_filedescriptors 4096
connect_timeout 10 seconds
read_timeout 600 seconds
shutdown_lifetime 2 seconds
logformat told %ts.%03tu %>a %Ss/%03>Hs %<st %rm %ru %<a
access_log stdio:/dev/stdout told
acl CONNECT method CONNECT
"""


def configuration(reachable: Sequence[Reachable]) -> str:
    """Return squid.conf: who is reached by which ports, as the site names them; all else is denied."""
    lines = [_HEAD]
    for number, entry in enumerate(reachable, start=1):
        ports = " ".join(str(port) for port in entry.ports)
        lines.append(f"acl ports_{number} port {ports}\n")
        if entry.networks:
            lines.append(f"acl networks_{number} dst {' '.join(entry.networks)}\n")
            lines.append(f"http_access allow networks_{number} ports_{number}\n")
        if entry.names:
            # A name is what the request says: an address is never taken for a name that it may resolve to.
            lines.append(f"acl names_{number} dstdomain -n {' '.join(entry.names)}\n")
            lines.append(f"http_access allow names_{number} ports_{number}\n")
    lines.append("http_access deny all\n")
    return "".join(lines)
