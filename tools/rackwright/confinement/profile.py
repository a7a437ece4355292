"""The text of a profile, in AppArmor's language (apparmor.d(5))."""

from __future__ import annotations

from collections.abc import Iterator

from rackwright.catalogue.log_model import FileLog
from rackwright.catalogue.model import Certificate, Service, SharedCertificate
from rackwright.confinement.model import Needs, service_of

DIRECTORY = "/etc/apparmor.d"
AUTHORITY = "/etc/rackwright/tls/ca.pem"
# Families of addresses are not told apart: the unit's RestrictAddressFamilies does that.
_EVERYBODY = """\
  include <abstractions/base>
  include <abstractions/nameservice>
  include <abstractions/openssl>
  include <abstractions/ssl_certs>

  # What systemd is told, and what the kernel tells anybody.
  @{run}/systemd/notify w,
  @{PROC}/ r,
  @{PROC}/{cpuinfo,loadavg,meminfo,stat,uptime,version} r,
  @{PROC}/sys/{kernel,net,vm,fs}/** r,
  owner @{PROC}/@{pid}/{cgroup,cmdline,comm,limits,maps,mountinfo,mounts} r,
  owner @{PROC}/@{pid}/{smaps,smaps_rollup,stat,statm,status} r,
  @{PROC}/@{pid}/net/{dev,if_inet6,netstat,snmp,snmp6,sockstat} r,
  owner @{PROC}/@{pid}/{fd,task}/{,**} r,
  @{sys}/devices/system/{clocksource,cpu,node}/{,**} r,
  @{sys}/fs/cgroup/{,**} r,
  @{sys}/kernel/mm/{,**} r,

  network inet stream,
  network inet dgram,
  network inet6 stream,
  network inet6 dgram,
  unix,
  signal peer=@{profile_name},
"""


def profile_name(name: str) -> str:
    """Return the name of a declaration's profile, which is its file's, too."""
    return f"rackwright.{name}"


def profile_text(name: str, service: Service, needs: Needs, *, complain: bool) -> str:
    """Return the file's content.

    Args:
        name: The declaration's: a service's in the catalogue, or that of a part of it.
        service: What the catalogue says of it, of which the role's declaration takes its own.
        needs: What its role says.
        complain: Whether what is not allowed is noted and let through.
    """
    profile = profile_name(name)
    # What the mounts of systemd's sandbox cut off from the root counts as below it.
    flags = ", ".join([*(["complain"] if complain else []), "attach_disconnected", "mediate_deleted"])
    lines = [
        "# Managed by Ansible (role hardening).",
        f"# {service.title}; what a host needs beside it belongs into {DIRECTORY}/local/{profile}.",
        "abi <abi/3.0>,",
        "",
        "include <tunables/global>",
        "",
        # By name alone: only the unit attaches it; who runs the same program by hand is left alone.
        f"profile {profile} flags=({flags}) {{",
        _EVERYBODY.rstrip(),
        *(f"  include <abstractions/{word}>" for word in needs.abstractions),
        "",
        *(f"  capability {word}," for word in needs.capabilities),
        *(f"  {rule}" for rule in needs.rules),
        *(f"  {path} mrix," for path in needs.runs),
        *(f"  {path} mr," for path in needs.loads),
        *(f"  {path} r," for path in dict.fromkeys((*_certificates(name, service, needs), *needs.reads))),
        *(f"  {path} rwkl," for path in dict.fromkeys((*_logs(service, needs), *needs.writes))),
        "",
        f"  include if exists <local/{profile}>",
        "}",
        "",
    ]
    return "\n".join(lines)


def _certificates(name: str, service: Service, needs: Needs) -> Iterator[str]:
    if "certificate" not in needs.takes:
        return
    owner = service_of(name)
    if isinstance(service.certificate, SharedCertificate):
        owner = service.certificate.of
    elif not isinstance(service.certificate, Certificate):
        return
    yield AUTHORITY
    yield f"/etc/rackwright/tls/{owner}/{{,**}}"


def _logs(service: Service, needs: Needs) -> Iterator[str]:
    if "logs" not in needs.takes:
        return
    for log in service.logs if isinstance(service.logs, tuple) else ():
        if isinstance(log, FileLog):
            # What is rotated lies beside it.
            yield f"{log.file.rpartition('/')[0]}/{{,**}}"
