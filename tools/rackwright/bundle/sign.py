"""The signature of a bundle: OpenPGP, since every host has what checks it (apt's own); an Ed25519 key."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rackwright.bundle.manifest import BundleError

HOME_VARIABLE = "RACKWRIGHT_BUNDLE_KEY"
FINGERPRINT = re.compile(r"[0-9A-F]{40}")


def key_home() -> Path:
    """Return the signing key's directory: $RACKWRIGHT_BUNDLE_KEY, else ~/.config/rackwright/bundle-key."""
    named = os.environ.get(HOME_VARIABLE)
    return Path(named).expanduser().resolve() if named else Path.home() / ".config/rackwright/bundle-key"


def make_key(name: str, home: Path | None = None) -> str:
    """Make a signing key and return its fingerprint.

    Raises:
        BundleError: There is one already, or gpg is not there.
    """
    home = home or key_home()
    if home.is_dir() and _secret_keys(home):
        raise BundleError(f"{home} has a key already", hint=f"name another directory in {HOME_VARIABLE}")
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.chmod(0o700)
    # A key without an end: media are read years later, and whoever distrusts a key changes bundle_signer.
    arguments = ("--pinentry-mode", "loopback", "--passphrase", "", "--quick-generate-key")
    _gpg(home, [*arguments, f"Rackwright bundle {name}", "ed25519", "sign", "never"])
    return fingerprint(home)


def fingerprint(home: Path | None = None) -> str:
    """Return the fingerprint of the signing key.

    Raises:
        BundleError: There is none.
    """
    home = home or key_home()
    found = _secret_keys(home) if home.is_dir() else []
    if not found:
        raise BundleError(
            f"no key that signs bundles in {home}", hint="make one: `rackwright bundle key --make`"
        )
    return found[0]


def public_key(home: Path | None = None) -> bytes:
    """Return the public key, armoured."""
    return _gpg(home or key_home(), ["--armor", "--export-options", "export-minimal", "--export"])


def sign(path: Path, home: Path | None = None) -> bytes:
    """Return a detached, armoured signature of a file."""
    home = home or key_home()
    return _gpg(
        home, ["--local-user", fingerprint(home), "--armor", "--detach-sign", "--output", "-", str(path)]
    )


def check(path: Path, signature: Path, key: Path, signer: str) -> None:
    """Check a file against its signature and the one key that may have made it.

    Args:
        path: The file.
        signature: Detached, armoured.
        key: The public key that came with it: it counts only if its fingerprint is the signer's.
        signer: Fingerprint that the site trusts.

    Raises:
        BundleError: The key is another's, or the signature does not fit the file.
    """
    wanted = signer.replace(" ", "").upper()
    if not FINGERPRINT.fullmatch(wanted):
        raise BundleError(
            f"the signer {signer!r} (bundle_signer) is no fingerprint of a key: 40 hexadecimal digits",
            hint="`rackwright bundle key` on the machine that builds bundles shows it",
        )
    for needed in (path, signature, key):
        if not needed.is_file():
            raise BundleError(f"{needed.name} is missing in {needed.parent}")
    with tempfile.TemporaryDirectory(prefix="rackwright-key-") as name:
        home = Path(name)
        # Public keys need no agent, and a control node of a closed site may have none.
        alone = ["--no-autostart"]
        imported = _run(home, [*alone, "--import", str(key)])
        found = _fingerprints(_run(home, [*alone, "--with-colons", "--list-keys"]).stdout.decode())
        if found == [wanted] and imported.returncode:
            raise BundleError(f"{key}: gpg: {imported.stderr.decode(errors='replace').strip()}")
        if found != [wanted]:
            told = ", ".join(found) or "no key"
            raise BundleError(
                f"{key}: the bundle was signed by {told}, the site trusts {wanted}",
                hint="get the bundle from whom you trust; or, after a change of keys, write bundle_signer",
            )
        done = _run(home, [*alone, "--status-fd", "1", "--verify", str(signature), str(path)])
        valid = [line.split()[2:] for line in done.stdout.decode().splitlines() if " VALIDSIG " in line]
        if done.returncode or not any(wanted in words for words in valid):
            raise BundleError(
                f"{path.name}: its signature ({signature.name}) does not fit: one of the two was changed",
                hint="copy the bundle again from its medium, or have it built again",
            )


def _secret_keys(home: Path) -> list[str]:
    return _fingerprints(_run(home, ["--with-colons", "--list-secret-keys"]).stdout.decode())


def _fingerprints(listing: str) -> list[str]:
    """Return the fingerprints of primary keys in gpg's listing."""
    found, primary = [], False
    for line in listing.splitlines():
        fields = line.split(":")
        if fields[0] in {"pub", "sec"}:
            primary = True
        elif fields[0] == "fpr" and primary:
            found.append(fields[9])
            primary = False
    return found


def _gpg(home: Path, arguments: Sequence[str]) -> bytes:
    done = _run(home, arguments)
    if done.returncode:
        raise BundleError(f"gpg: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def _run(home: Path, arguments: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("gpg")
    if program is None:
        raise BundleError(
            "gpg is not installed", hint="sudo apt-get install --no-install-recommends gpg gpg-agent"
        )
    command = [program, "--homedir", str(home), "--batch", "--no-tty", "--quiet", *arguments]
    return subprocess.run(command, capture_output=True, check=False)


def forget_agent(home: Path) -> None:
    """End the agent that gpg leaves behind for a key's directory."""
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], capture_output=True, check=False)
