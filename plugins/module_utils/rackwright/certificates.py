"""The certificates of one host: what is due and why, new keys and requests, installing what was signed."""

from __future__ import annotations

import contextlib
import grp
import ipaddress
import os
import pwd
import re
import ssl
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.module_utils.rackwright.command import run

METRICS = "rackwright_tls.prom"
METRIC = "rackwright_certificate_not_after_seconds"
# The new key waits here, for root only, until its certificate comes.
PENDING = ".key.pem.pending"
DAY = 86400


class CertificateError(Exception):
    """What cannot be done, and why."""


@dataclass(frozen=True)
class Entry:
    """A certificate that this host shall have; `certificate` is the signed one (PEM), when it is there."""

    service: str
    owner: str
    group: str
    addresses: frozenset[str]
    names: frozenset[str]
    client: bool = False
    certificate: str | None = None

    @classmethod
    def of(cls, item: dict[str, Any]) -> Entry:
        """Return the entry that a module's parameter describes."""
        return cls(
            service=item["service"],
            owner=item["owner"],
            group=item["group"],
            addresses=frozenset(str(ipaddress.ip_address(address)) for address in item["addresses"]),
            names=frozenset(item["names"]),
            client=bool(item.get("client")),
            certificate=item.get("certificate"),
        )


@dataclass
class Report:
    """What was found and done: why it is due (empty: it is not), what was set right, the request, the end."""

    due: str = ""
    repaired: list[str] = field(default_factory=list)
    csr: str | None = None
    end: int | None = None

    @property
    def days_left(self) -> int | None:
        """Return whole days until it expires, negative when it has."""
        return None if self.end is None else int((self.end - time.time()) // DAY)


class Certificates:
    """All certificates of this host below `directory`; with `check` nothing is touched.

    `changed` tells whether anything was or, with `check`, would be changed.
    """

    def __init__(self, directory: Path, ca: str, renew_days: int, *, check: bool) -> None:
        self.directory = directory
        self.ca = ca
        self.renew_days = renew_days
        self.check = check
        self.changed = False

    def looked_at(self, entries: list[Entry], metrics: str) -> dict[str, list[str]]:
        """Return what changes when somebody touches a certificate, its owner or what is told of it."""
        folders = [self._folder(entry) for entry in entries]
        paths = [folder / name for folder in folders for name in ("key.pem", "cert.pem")]
        return {
            "paths": [str(path) for path in (self.directory / "ca.pem", Path(metrics) / METRICS, *paths)],
            "places": [str(path) for path in (*folders, metrics)],
            "users": sorted({"root", *(entry.owner for entry in entries)}),
            "groups": sorted({entry.group for entry in entries if not entry.group.isdigit()}),
        }

    def write_ca(self) -> None:
        """Write the authority's certificate, and the directory before it."""
        path = self.directory / "ca.pem"
        if _text(path) == self.ca:
            return
        self.changed = True
        if not self.check:
            self.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
            _write(path, self.ca, 0o644)

    def bring_about(self, entry: Entry) -> Report:
        """Install the certificate when it is there; otherwise ask for one when one is due.

        Raises:
            CertificateError: An account is missing, openssl refuses, or what was signed is not good.
        """
        report = Report(repaired=self._repair(entry))
        if entry.certificate and not self.check:
            self._install(entry)
        report.due, report.end = self._due(entry)
        if report.due:
            self.changed = True
            if entry.certificate:
                raise CertificateError(f"{entry.service}: what was signed is not good: {report.due}")
            if not self.check:
                report.csr = self._request(entry)
        return report

    def write_metrics(self, directory: Path, reports: dict[str, Report]) -> None:
        """Tell the node exporter when each certificate ends, where a node exporter is."""
        if not directory.is_dir():
            return
        lines = [f"# HELP {METRIC} End of validity of a service's certificate.", f"# TYPE {METRIC} gauge"]
        lines += [f'{METRIC}{{service="{name}"}} {reports[name].end}' for name in sorted(reports)]
        path, text = directory / METRICS, "\n".join(lines) + "\n"
        if _text(path) == text:
            return
        self.changed = True
        if not self.check:
            _write(path, text, 0o644)

    def _folder(self, entry: Entry) -> Path:
        return self.directory / entry.service

    def _due(self, entry: Entry) -> tuple[str, int | None]:
        """Return why the certificate must be made anew, if it must, and its end in epoch seconds."""
        key, certificate = self._folder(entry) / "key.pem", self._folder(entry) / "cert.pem"
        if not key.exists() or not certificate.exists():
            return "there is none", None
        try:
            text = _openssl(
                "x509", "-in", str(certificate), "-noout", "-enddate", "-pubkey",
                "-ext", "subjectAltName,extendedKeyUsage",
            )  # fmt: skip
            end = int(ssl.cert_time_to_seconds(text.partition("notAfter=")[2].splitlines()[0]))
        except (CertificateError, ValueError, IndexError):
            return "the certificate is not readable", None
        left = (end - time.time()) / DAY
        if left < 0:
            return "it is expired", end
        if left < self.renew_days:
            return f"it expires in {int(left)} days", end
        return self._mismatch(entry, key, certificate, text), end

    def _mismatch(self, entry: Entry, key: Path, certificate: Path, text: str) -> str:
        """Return in what a certificate that is still valid differs from what it should be."""
        try:
            public = _openssl("pkey", "-in", str(key), "-pubout").strip()
        except CertificateError:
            return "the key is not readable"
        if public not in text:
            return "the key is not the certificate's"
        found = re.findall(r"IP Address:([0-9A-Fa-f:.]+)", text)
        addresses = frozenset(str(ipaddress.ip_address(address)) for address in found)
        if (addresses, frozenset(re.findall(r"DNS:([^,\s]+)", text))) != (entry.addresses, entry.names):
            return "its addresses or names are others"
        if ("TLS Web Client Authentication" in text) != entry.client:
            return "it is to be for a client as well" if entry.client else "it is to be for a server alone"
        return "" if self._issued_by_ca(certificate) else "its issuer is another"

    def _issued_by_ca(self, certificate: Path) -> bool:
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as ca:
            ca.write(self.ca)
            ca.flush()
            options = ("-no_check_time", "-purpose", "sslserver", "-CAfile", ca.name)
            return bool(run(["openssl", "verify", *options, str(certificate)]).rc == 0)

    def _repair(self, entry: Entry) -> list[str]:
        """Give directory, key and certificate their owner and mode; return what was not so."""
        folder = self._folder(entry)
        if not folder.is_dir():
            self.changed = True
            if self.check:
                return []
            folder.mkdir(mode=0o700)
            self._own(folder, entry, 0o750, "root")
        wrong = self._own(folder, entry, 0o750, "root")
        for name, mode, owner in (("key.pem", 0o640, entry.owner), ("cert.pem", 0o644, "root")):
            if (folder / name).exists():
                wrong += self._own(folder / name, entry, mode, owner)
        return wrong

    def _own(self, path: Path, entry: Entry, mode: int, owner: str) -> list[str]:
        """Set owner, group and mode where they differ; the time of the content stays."""
        wrong = []
        status = path.stat()
        uid, gid = self._ids(owner, entry.group)
        if (status.st_uid, status.st_gid) != (uid, gid):
            wrong.append(f"{path.name}: owner {owner}:{entry.group}")
            if not self.check:
                os.chown(path, uid, gid)
        if status.st_mode & 0o7777 != mode:
            wrong.append(f"{path.name}: mode {mode:04o}")
            if not self.check:
                path.chmod(mode)
        self.changed = self.changed or bool(wrong)
        return wrong

    def _ids(self, owner: str, group: str) -> tuple[int, int]:
        """Return the numbers of the accounts; -1 for one that only check mode may miss."""
        uid = gid = -1
        try:
            uid = pwd.getpwnam(owner).pw_uid
        except KeyError:
            if not self.check:
                raise CertificateError(
                    f"there is no user {owner}: install the service's package, or let root own the key"
                ) from None
        if group.isdigit():
            # Of a container, whose numbers need no name on the host.
            return uid, int(group)
        try:
            gid = grp.getgrnam(group).gr_gid
        except KeyError:
            if not self.check:
                gid = _make_group(group)
        return uid, gid

    def _request(self, entry: Entry) -> str:
        """Make a new key beside the one in use, and return a request signed by it."""
        pending = self._folder(entry) / PENDING
        _write(pending, _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"), 0o600)
        alternatives = [f"IP:{address}" for address in sorted(entry.addresses)]
        alternatives += [f"DNS:{name}" for name in sorted(entry.names)]
        return _openssl(
            "req", "-new", "-sha256", "-key", str(pending), "-subj", f"/CN={entry.service}",
            "-addext", "subjectAltName=" + ",".join(alternatives),
        )  # fmt: skip

    def _install(self, entry: Entry) -> None:
        """Put key and certificate in place. A run that is killed between the two is mended by the next."""
        folder, uid_gid = self._folder(entry), self._ids(entry.owner, entry.group)
        pending = folder / PENDING
        if not pending.exists():
            raise CertificateError(f"{entry.service}: the key that was made for this certificate is gone")
        os.chown(pending, *uid_gid)
        pending.chmod(0o640)
        pending.replace(folder / "key.pem")
        _write(folder / "cert.pem", str(entry.certificate), 0o644, gid=uid_gid[1])
        self.changed = True


def _make_group(group: str) -> int:
    """Make a system group; the service's own role comes after this one and finds its group there."""
    outcome = run(["groupadd", "--system", group])
    if outcome.rc != 0:
        raise CertificateError(f"groupadd {group}: {outcome.output}")
    return grp.getgrnam(group).gr_gid


def _openssl(*arguments: str) -> str:
    outcome = run(["openssl", *arguments])
    if outcome.rc != 0:
        raise CertificateError(f"openssl {arguments[0]}: {outcome.output}")
    return str(outcome.stdout)


def _text(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def _write(path: Path, text: str, mode: int, uid: int = -1, gid: int = -1) -> None:
    """Replace a file so that it is either old or new, and never open to more than `mode` allows."""
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".new", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w") as stream:
            os.fchown(descriptor, uid, gid)
            os.fchmod(descriptor, mode)
            stream.write(text)
            stream.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise
