"""The archive of the app: picked for its target, reproducible, made once."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackwright.errors import RackwrightError
from rackwright.site.paths import repository_root
from rackwright.wheelhouse import build, pip
from rackwright.wheelhouse.archive import sha256_of, write_archive
from rackwright.wheelhouse.lock import Pinned, needed, read_lock
from rackwright.wheelhouse.target import Target

LOCK = """\
# made by a tool
always==1.0 \\
    --hash=sha256:{a} \\
    --hash=sha256:{b}
    # via app
old==2.0 ; python_full_version < '3.12' \\
    --hash=sha256:{a}
arm==3.0 ; platform_machine == 'aarch64' and sys_platform == 'linux' \\
    --hash=sha256:{a}
windows==4.0 ; sys_platform == 'win32' \\
    --hash=sha256:{a}
""".format(a="a" * 64, b="b" * 64)


@pytest.fixture
def lock(tmp_path: Path) -> list[Pinned]:
    (tmp_path / "requirements.lock").write_text(LOCK)
    return read_lock(tmp_path / "requirements.lock")


@pytest.mark.parametrize(
    ("python", "arch", "names"),
    [
        ("3.13", "x86_64", ["always"]),
        ("3.11", "x86_64", ["always", "old"]),
        ("3.13", "aarch64", ["always", "arm"]),
    ],
)
def test_markers_are_asked_of_the_target(
    lock: list[Pinned], python: str, arch: str, names: list[str]
) -> None:
    assert [package.name for package in needed(lock, Target(python, arch))] == names


def test_a_line_keeps_every_hash_and_no_marker(lock: list[Pinned]) -> None:
    expected = ["always==1.0 \\", f"    --hash=sha256:{'a' * 64} \\", f"    --hash=sha256:{'b' * 64}"]
    assert lock[0].line().splitlines() == expected
    assert ";" not in lock[1].line()


@pytest.mark.parametrize("line", ["loose>=1.0 --hash=sha256:" + "a" * 64, "bare==1.0", "===", "-e ."])
def test_an_unpinned_lock_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "requirements.lock").write_text(line + "\n")
    with pytest.raises(RackwrightError):
        read_lock(tmp_path / "requirements.lock")


@pytest.mark.parametrize(
    ("python", "arch"), [("3.10", "x86_64"), ("3", "x86_64"), ("3.13.1", "x86_64"), ("3.13", "s390x")]
)
def test_targets_that_cannot_run_the_app_are_refused(python: str, arch: str) -> None:
    with pytest.raises(RackwrightError):
        Target(python, arch)


def test_the_apps_own_locks_serve_every_supported_system() -> None:
    app = repository_root() / "app"
    for name in (build.LOCK, build.INSTALLER_LOCK):
        for python in ("3.11", "3.12", "3.13"):
            assert needed(read_lock(app / name), Target(python, "x86_64"))


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}\.whl", fullmatch=True), st.binary(max_size=50), max_size=5))
def test_an_archive_depends_on_nothing_but_names_and_contents(
    tmp_path_factory: pytest.TempPathFactory, contents: dict[str, bytes]
) -> None:
    sums: list[str] = []
    for order in (list(contents), list(reversed(contents))):
        directory = tmp_path_factory.mktemp("archive")
        for name in order:
            (directory / name).write_bytes(contents[name])
            (directory / name).chmod(0o600 if sums else 0o644)
        write_archive(directory / "out.tar", {name: directory / name for name in order})
        sums.append(sha256_of(directory / "out.tar"))
    assert sums[0] == sums[1]


class FakePip:
    """Stands in for pip, which would need an index; counts how often it is asked."""

    def __init__(self) -> None:
        self.built = 0
        self.downloaded: list[list[str]] = []

    def build_wheel(self, source: Path, files: list[Path], into: Path) -> Path:  # noqa: ARG002 - pip's own
        self.built += 1
        wheel = into / "rackwright_app-1.0-py3-none-any.whl"
        wheel.write_bytes(b"".join(file.read_bytes() for file in files))
        return wheel

    def download(self, packages: list[Pinned], target: Target, into: Path) -> list[Path]:
        self.downloaded.append([f"{package.name} for {target.tag}" for package in packages])
        for package in packages:
            (into / f"{package.name}-{package.version}-py3-none-any.whl").write_bytes(package.name.encode())
        return sorted(into.glob("*.whl"))


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    app = tmp_path / "app"
    (app / "src" / "rackwright_app").mkdir(parents=True)
    (app / "src" / "rackwright_app" / "__init__.py").write_text("")
    (app / "pyproject.toml").write_text('[project]\nname = "rackwright-app"\nversion = "1.0"\n')
    (app / "README.md").write_text("app\n")
    (app / "requirements.lock").write_text(LOCK)
    (app / "installer.lock").write_text(f"pip==1.0 --hash=sha256:{'c' * 64}\n")
    monkeypatch.setenv("RACKWRIGHT_CACHE", str(tmp_path / "cache"))
    return app


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakePip:
    fake = FakePip()
    monkeypatch.setattr(pip, "build_wheel", fake.build_wheel)
    monkeypatch.setattr(pip, "download", fake.download)
    return fake


def test_an_archive_is_made_once_and_again_when_something_changed(source: Path, fake: FakePip) -> None:
    first = build.ensure_wheelhouse("3.13", source=source)
    assert build.ensure_wheelhouse("3.13", source=source) == first
    assert fake.built == 1
    (source / "src" / "rackwright_app" / "__init__.py").write_text("# changed\n")
    second = build.ensure_wheelhouse("3.13", source=source)
    assert second.sha256 != first.sha256
    # What has not changed is not downloaded again.
    assert fake.downloaded == [["always for cp313-x86_64"], ["pip for cp313-x86_64"]]
    other = build.ensure_wheelhouse("3.11", source=source)
    assert fake.downloaded[2] == ["always for cp311-x86_64", "old for cp311-x86_64"]
    assert len({first.archive, second.archive, other.archive}) == 3


def test_an_archive_holds_what_a_host_needs(source: Path, fake: FakePip) -> None:
    made = build.ensure_wheelhouse("3.13", source=source)
    assert fake.built == 1
    assert made.sha256 == hashlib.sha256(made.archive.read_bytes()).hexdigest()
    with tarfile.open(made.archive) as archive:
        names = archive.getnames()
        requirements = archive.extractfile("requirements.txt")
        assert requirements is not None
        text = requirements.read().decode()
    assert names == [
        "installer/pip-1.0-py3-none-any.whl",
        "requirements.txt",
        "wheelhouse.json",
        "wheels/always-1.0-py3-none-any.whl",
        "wheels/rackwright_app-1.0-py3-none-any.whl",
    ]
    assert text.startswith("always==1.0 \\\n    --hash=sha256:")
    assert "./wheels/rackwright_app-1.0-py3-none-any.whl \\\n    --hash=sha256:" in text


def test_an_interrupted_build_leaves_nothing_that_counts(
    source: Path, fake: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pip, "build_wheel", cut)
        with pytest.raises(KeyboardInterrupt):
            build.ensure_wheelhouse("3.13", source=source)
    assert build.ensure_wheelhouse("3.13", source=source).archive.is_file()
    assert fake.built == 1


def test_what_pip_cannot_get_is_told(source: Path) -> None:
    with pytest.raises(RackwrightError, match="not downloaded") as caught:
        build.ensure_wheelhouse("3.13", source=source)
    assert "pip config list" in str(caught.value)


def test_the_apps_wheel_is_the_same_each_time(tmp_path: Path) -> None:
    app = repository_root() / "app"
    files = [app / "pyproject.toml", app / "README.md", *sorted((app / "src").rglob("*.py"))]
    sums = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        sums.add(sha256_of(pip.build_wheel(app, files, tmp_path / name)))
    assert len(sums) == 1
