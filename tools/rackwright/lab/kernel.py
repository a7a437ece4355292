"""The one kernel setting of this computer that labs run into."""

from __future__ import annotations

from pathlib import Path

INOTIFY_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
# systemd takes some ten for each machine. Two labs use up the usual 128, and units then fail at boot.
WANTED_INSTANCES = 4096


def ensure_inotify(setting: Path = INOTIFY_INSTANCES) -> str:
    """Allow as many watchers as several labs need, until the next boot; returns what to tell the operator.

    The setting counts for all containers of one user together. Where it may not be changed, it is left as it
    is: one lab of a few machines does with the usual value.
    """
    allowed = int(setting.read_text(encoding="ascii"))
    if allowed >= WANTED_INSTANCES:
        return ""
    try:
        setting.write_text(f"{WANTED_INSTANCES}\n", encoding="ascii")
    except OSError:
        return f"sudo sysctl fs.inotify.max_user_instances={WANTED_INSTANCES} makes room for more machines"
    return f"fs.inotify.max_user_instances {allowed} -> {WANTED_INSTANCES}"
