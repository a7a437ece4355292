"""One transaction of apt, with service starts held back."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from ansible.module_utils.rackwright import command, package_plan, systemd
from ansible.module_utils.rackwright.unit_plan import UnitError

_ENVIRONMENT = {
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBIAN_PRIORITY": "critical",
    "APT_LISTCHANGES_FRONTEND": "none",
    # Ubuntu's needrestart would restart services in the middle of the transaction.
    "NEEDRESTART_MODE": "l",
}
_OPTIONS = [
    "-y",
    "-q",
    "-o",
    "Dpkg::Options::=--force-confdef",
    "-o",
    "Dpkg::Options::=--force-confold",
    "-o",
    "DPkg::Lock::Timeout=120",
    "-o",
    "Dpkg::Use-Pty=0",
    "-o",
    "Acquire::Retries=3",
    # A name with a dot is a name, never a pattern.
    "-o",
    "APT::Cmd::Pattern-Only=true",
]
_LOCK_WAIT_SECONDS = 120.0
_MARK = "Managed by Rackwright"
_POLICY = f"""#!/bin/sh
# {_MARK}: holds service starts back while packages are installed; removed afterwards.
# What runs is stopped, and restarted with its new program: by who asks, or here while systemctl is deaf.
deaf=$SYSTEMD_OFFLINE
unset SYSTEMD_OFFLINE
case "$2" in
  *stop*) [ -z "$deaf" ] || systemctl --quiet stop "$1"; exit 0 ;;
  *restart*|*reload*)
    systemctl --quiet is-active "$1" || exit 101
    [ -z "$deaf" ] || {{ systemctl daemon-reload; systemctl --quiet "$2" "$1"; }}
    exit 0 ;;
esac
exit 101
"""
# systemctl leaves undone what it is asked for. The scripts of each service have systemd read all unit files
# again, twice; once is enough, when all are there.
_SILENCED = {"SYSTEMD_OFFLINE": "1"}
# Their own scripts have systemd replace itself.
_SYSTEM = ("systemd", "libc6")


class Apt:
    """apt and dpkg of a host whose files are under `root`."""

    def __init__(self, root: str = "/") -> None:
        """Take the root; anything but / is for tests."""
        self.root = Path(root)
        self.policy = self.root / "usr/sbin/policy-rc.d"
        self.put_aside = self.root / "usr/sbin/policy-rc.d.rackwright-saved"
        self.proxy = self.root / "etc/apt/apt.conf.d/00rackwright-proxy"
        # Where the site says where packages come from; the host's own sources stay beside it, unread.
        self.sources = self.root / "etc/apt/rackwright"
        self.sources_setting = self.root / "etc/apt/apt.conf.d/00rackwright-sources"
        self.lists = self.root / "var/lib/apt/lists"
        self.stamp = self.root / "var/lib/apt/rackwright-update-stamp"
        self.database = self.root / "var/lib/dpkg"
        self._silenced = False

    def source_files(self, wanted: dict[str, str] | None) -> list[str]:
        """Return files of the site's sources that are not wanted any more; none when nobody says what is.

        Lists that a role adds for packages of its own (rackwright-…) are that role's.
        """
        if wanted is None:
            return []
        ours = [self.sources_setting, *sorted(self.sources.rglob("*"))]
        return [
            str(path)
            for path in ours
            if path.is_file() and str(path) not in wanted and not path.name.startswith("rackwright-")
        ]

    def looked_at(self) -> dict[str, list[str]]:
        """Return the paths that change with the packages and with what is looked after beside them."""
        files = (self.database / "status", self.policy, self.put_aside, self.proxy, self.sources_setting)
        trees = (self.database / "updates", self.sources)
        return {"paths": [str(path) for path in files], "trees": [str(path) for path in trees]}

    def installed(self) -> package_plan.Installed:
        """Ask dpkg what is there."""
        outcome = command.run(["dpkg-query", "-W", "-f", package_plan.QUERY_FORMAT])
        return package_plan.parse_installed(outcome.stdout)

    def interrupted(self) -> bool:
        """Whether dpkg was killed while it wrote its database."""
        updates = self.database / "updates"
        return updates.is_dir() and any(entry.name.isdigit() for entry in updates.iterdir())

    def lists_stale(self, max_age_seconds: float) -> bool:
        """Whether the lists are missing, too old, or older than the sources and settings they stand for."""
        if not self.stamp.exists() or not any(self.lists.glob("*_Packages*")):
            return True
        updated = self.stamp.stat().st_mtime
        apt = self.root / "etc/apt"
        inputs = [path for path in apt.rglob("*") if path.is_file()] if apt.is_dir() else []
        newest = max((max(path.stat().st_mtime, path.stat().st_ctime) for path in inputs), default=0.0)
        return newest > updated or time.time() - updated > max_age_seconds

    def update(self) -> command.Outcome:
        """Fetch the lists; waits while another program does so."""
        until = time.monotonic() + _LOCK_WAIT_SECONDS
        while True:
            outcome = command.run(["apt-get", *_OPTIONS, "update"], _ENVIRONMENT)
            if "Could not get lock" not in outcome.stderr or time.monotonic() > until:
                break
            time.sleep(2)
        if outcome.rc == 0:
            self.stamp.write_text("", encoding="ascii")
        return outcome

    def mend(self) -> command.Outcome:
        """Finish what an interrupted run of dpkg left half-done; its scripts talk to systemd as ever."""
        configure = ["dpkg", "--force-confdef", "--force-confold", "--configure", "-a"]
        outcome = command.run(configure, _ENVIRONMENT)
        if outcome.rc == 0 and not self.installed().half_done:
            return outcome
        return command.run(
            ["apt-get", *_OPTIONS, "--fix-broken", "--no-install-recommends", "install"], _ENVIRONMENT
        )

    def install(self, names: list[str], *, simulate: bool = False) -> command.Outcome:
        """Install all names in one transaction, or say what that would bring."""
        options = [*_OPTIONS, "--no-install-recommends", *(["--simulate"] if simulate else [])]
        self._silenced = not simulate and self._system_stays()
        environment = {**_ENVIRONMENT, **(_SILENCED if self._silenced else {})}
        return command.run(["apt-get", *options, "install", "--", *names], environment)

    def tell_systemd(self, *, replaced: bool) -> None:
        """Have systemd learn of what it was not told during the installation.

        Args:
            replaced: Whether there was an older version, or none any more, of anything: then at once. What is
                new it reads when it is asked for.
        """
        if not self._silenced:
            return
        # Where systemd does not run, or refuses, units will say so when they are started.
        with contextlib.suppress(UnitError):
            if replaced:
                systemd.daemon_reload()
            else:
                systemd.daemon_reload_later()

    def _system_stays(self) -> bool:
        """Whether apt knows of no newer systemd and C library that a transaction could bring along."""
        outcome = command.run(["apt-cache", "policy", *_SYSTEM], _ENVIRONMENT)
        return bool(package_plan.is_newest(outcome.stdout))

    @contextlib.contextmanager
    def starts_held_back(self) -> Iterator[None]:
        """Keep the packages' scripts from starting services that do not run yet."""
        self.clean_policy()
        self.policy.parent.mkdir(parents=True, exist_ok=True)
        if self.policy.exists():
            self.policy.replace(self.put_aside)
        self.policy.write_text(_POLICY, encoding="ascii")
        self.policy.chmod(0o755)
        try:
            yield
        finally:
            self.clean_policy()

    def policy_left(self) -> bool:
        """Whether a killed run left its hold on service starts."""
        ours = self.policy.is_file() and _MARK in self.policy.read_text(encoding="utf-8", errors="replace")
        return ours or self.put_aside.exists()

    def clean_policy(self) -> None:
        """Remove our hold on service starts and bring back the one that was there before."""
        if self.policy.is_file() and _MARK in self.policy.read_text(encoding="utf-8", errors="replace"):
            self.policy.unlink()
        if self.put_aside.exists():
            self.put_aside.replace(self.policy)


def proxy_text(url: str) -> str:
    """The settings that send apt through a proxy."""
    return f'// {_MARK}\nAcquire::http::Proxy "{url}";\n'


def is_ours(path: Path) -> bool:
    """Whether a file says that it is Rackwright's."""
    return path.is_file() and _MARK in path.read_text(encoding="utf-8", errors="replace")
