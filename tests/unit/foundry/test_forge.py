"""The foundry: packages that install with no network, by the plugin daemon's own steps.

The package is one that the test writes in the daemon's format, with real requirements from a package index.
The daemon's image is not to be had here: its double (tests/doubles/dify) runs its steps, with the real `uv`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from rackwright.cli.bundle_plugins import command
from rackwright.errors import RackwrightError
from rackwright.foundry.forge import forge
from rackwright.foundry.package import checksum, packed, read_plugin
from rackwright.foundry.sign import comment, is_signed_by, new_key, public_text, read_key, read_public_key
from rackwright.wheelhouse.target import Target

DOUBLES = Path(__file__).parents[2] / "doubles"
PYTHON = f"3.{sys.version_info.minor}"
TARGET = Target(PYTHON, os.uname().machine)
# A small package with a compiled part, and one without.
REQUIREMENTS = "PyYAML>=6\nidna>=3.7 ; python_version >= '3.8'\ncolorama>=0.4 ; sys_platform == 'win32'\n"
Make = Callable[..., Path]
ALONE = ("unshare", "--user", "--map-root-user", "--net")


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "plugins.pem"
    new_key(path)
    return path


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes a plugin's package, as a publisher's tool does."""

    def made(**changes: bytes) -> Path:
        manifest = {
            "version": "0.0.1", "type": "plugin", "author": "test", "name": "echo",
            "label": {"en_US": "Echo"}, "description": {"en_US": "Says it again"}, "icon": "icon.svg",
            "created_at": "2026-01-01T00:00:00Z",
            "resource": {"memory": 1048576}, "plugins": {"tools": ["provider/echo.yaml"]},
            "meta": {"version": "0.0.1", "arch": ["amd64"],
                     "runner": {"language": "python", "version": PYTHON, "entrypoint": "main"}},
        }  # fmt: skip
        files = {
            "manifest.yaml": yaml.safe_dump(manifest).encode(),
            "main.py": b"import idna, yaml\nprint(yaml.safe_dump({'echo': idna.decode('test')}), end='')\n",
            "provider/echo.yaml": b"identity: {name: echo}\n",
            "_assets/icon.svg": b"<svg/>",
            "requirements.txt": REQUIREMENTS.encode(),
        } | {name.replace("__", "/"): content for name, content in changes.items()}
        path = tmp_path / "echo.difypkg"
        path.write_bytes(packed({name: content for name, content in files.items() if content}, b""))
        return path

    return made


INSTALL = """
import json, sys
from pathlib import Path
sys.path[:0] = json.loads(sys.argv[2])
from packages import opened, read_key
from runtime import install
job = json.loads(sys.argv[1])
package = opened(Path(job["package"]).read_bytes(), 52428800)
assert package.signed_by([read_key(Path(job["key"]))]), "bad signature"
place = install(package, Path(job["working"]), job["uv"], job["python"], job["settings"])
print(json.dumps({"place": str(place), "identifier": package.identifier}))
"""


def installed(package: Path, key: Path, working: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the daemon's steps in a network namespace that has no network at all."""
    job = {
        "package": str(package), "key": str(key), "working": str(working), "python": sys.executable,
        "uv": str(Path(sys.executable).with_name("uv")), "settings": settings,
    }  # fmt: skip
    places = json.dumps([str(DOUBLES / "dify"), str(DOUBLES / "engines")])
    working.mkdir(parents=True, exist_ok=True)
    return subprocess.run(
        [*ALONE, sys.executable, "-c", INSTALL, json.dumps(job), places],
        capture_output=True, text=True, check=False, cwd=working,
    )  # fmt: skip


def test_a_plugin_of_the_foundry_installs_with_no_network(make: Make, key: Path, tmp_path: Path) -> None:
    forged = forge(make(), tmp_path / "out", TARGET, read_key(key))
    assert sorted(wheel.split("-")[0].lower() for wheel in forged.wheels) == ["idna", "pyyaml"]
    public = tmp_path / "public.pem"
    public.write_text(public_text(read_key(key)), encoding="utf-8")
    done = installed(forged.path, public, tmp_path / "daemon")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["identifier"] == forged.identifier
    place = Path(told["place"])
    assert (place / ".venv/dify/plugin.json").is_file()
    said = subprocess.run(
        [place / ".venv/bin/python", "main.py"], cwd=place, capture_output=True, text=True, check=True
    )
    assert said.stdout == "echo: test\n"


def test_the_publishers_package_itself_does_not(make: Make, key: Path, tmp_path: Path) -> None:
    plugin = read_plugin(make())
    signed = tmp_path / "signed.difypkg"
    signed.write_bytes(packed(plugin.files, comment(plugin.files, read_key(key))))
    public = tmp_path / "public.pem"
    public.write_text(public_text(read_key(key)), encoding="utf-8")
    done = installed(signed, public, tmp_path / "daemon")
    assert done.returncode != 0
    assert "failed to install dependencies" in done.stderr


def test_a_lock_and_a_project_file_give_way_to_the_wheels(make: Make, key: Path, tmp_path: Path) -> None:
    project = b'[project]\nname = "echo"\nversion = "0"\ndependencies = ["idna>=3.7", "PyYAML>=6"]\n'
    source = make(**{"pyproject.toml": project, "uv.lock": b"version = 1\n", "requirements.txt": b""})
    forged = forge(source, tmp_path / "out", TARGET, read_key(key))
    files = read_plugin(forged.path).files
    assert {"pyproject.toml", "uv.lock"} & set(files) == set()
    lines = files["requirements.txt"].decode().splitlines()
    assert lines[1:3] == ["--no-index", "--find-links ./wheels/"]
    assert all("==" in line and "--hash=sha256:" in line for line in lines[3:])
    assert len(forged.wheels) == 2


def test_the_same_inputs_make_the_same_bytes(make: Make, key: Path, tmp_path: Path) -> None:
    source = make()
    one, two = (forge(source, tmp_path / name, TARGET, read_key(key)) for name in ("one", "two"))
    assert one.path.read_bytes() == two.path.read_bytes()


def test_a_signature_holds_for_its_files_alone(make: Make, key: Path, tmp_path: Path) -> None:
    plugin = read_plugin(make())
    path = tmp_path / "signed.difypkg"
    path.write_bytes(packed(plugin.files, comment(plugin.files, read_key(key))))
    ours = read_key(key).public_key()
    assert is_signed_by(read_plugin(path), ours)
    path.write_bytes(packed({**plugin.files, "main.py": b"print(1)\n"}, comment(plugin.files, read_key(key))))
    assert not is_signed_by(read_plugin(path), ours)
    other = new_key(tmp_path / "other.pem").public_key()
    assert not is_signed_by(read_plugin(path), other)


def test_a_package_that_the_publisher_did_not_sign_is_refused(make: Make, key: Path, tmp_path: Path) -> None:
    publisher = new_key(tmp_path / "publisher.pem")
    with pytest.raises(RackwrightError, match="has not signed this file"):
        forge(make(), tmp_path / "out", TARGET, read_key(key), publisher.public_key())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"manifest.yaml": b"author: test\n"}, "lacks"),
        ({"requirements.txt": b""}, "neither requirements.txt nor pyproject.toml"),
        ({"..__evil": b"x"}, "leads out of the package"),
        ({"requirements.txt": b"no-such-package-of-anybody==1\n"}, "do not come together"),
    ],
)
def test_what_cannot_be_packed_is_refused(
    make: Make, key: Path, tmp_path: Path, changes: dict[str, bytes], said: str
) -> None:
    with pytest.raises(RackwrightError, match=said):
        forge(make(**changes), tmp_path / "out", TARGET, read_key(key))


def test_what_the_daemon_would_not_unpack_is_refused(make: Make, key: Path, tmp_path: Path) -> None:
    with pytest.raises(RackwrightError, match="the daemon unpacks 0") as caught:
        forge(make(), tmp_path / "out", TARGET, read_key(key), largest=1000)
    assert "dify_plugin_mb" in str(caught.value.hint)


def test_another_interpreter_is_refused(make: Make, key: Path, tmp_path: Path) -> None:
    with pytest.raises(RackwrightError, match=r"the daemon has 3\.99"):
        forge(make(), tmp_path / "out", Target("3.99", "x86_64"), read_key(key))


def test_the_checksum_is_the_daemons(make: Make) -> None:
    sys.path.insert(0, str(DOUBLES / "dify"))
    try:
        from packages import opened  # noqa: PLC0415 - the double's
    finally:
        sys.path.remove(str(DOUBLES / "dify"))
    path = make()
    theirs = opened(path.read_bytes(), 1 << 20)
    assert theirs.identifier == f"test/echo:0.0.1@{checksum(read_plugin(path).files)}"


def test_the_command_makes_a_key_and_says_what_the_inventory_needs(make: Make, tmp_path: Path) -> None:
    key = tmp_path / "keys/plugins.pem"
    arguments = [
        str(make()),
        "--into",
        str(tmp_path / "out"),
        "--key",
        str(key),
        "--python",
        PYTHON,
        "--arch",
        TARGET.arch,
    ]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    told = yaml.safe_load(result.stdout)
    assert key.stat().st_mode & 0o777 == 0o600
    assert told["dify_plugins"][0]["source"].endswith(".difypkg")
    public = tmp_path / "out/plugin-signature.pem"
    assert str(public) in told["dify_plugin_public_key"]
    with zipfile.ZipFile(told["dify_plugins"][0]["source"]) as archive:
        assert archive.testzip() is None
    assert is_signed_by(read_plugin(Path(told["dify_plugins"][0]["source"])), read_public_key(public))
