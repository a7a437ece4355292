"""`dify_console` against the double's console: made once, told anew when it changes, people's own left alone.

The double (tests/doubles/dify) keeps its state in PostgreSQL; here it has it in memory.
"""

from __future__ import annotations

import importlib
import sys
import threading
import types
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from conftest import RunModule

DOUBLES = Path(__file__).parents[1] / "doubles"
PROVIDER = "double/openai/openai"
MANIFEST = "version: 0.0.1\nauthor: double\nname: 'openai'\nmeta:\n  version: 9.9.9\n"
MODEL = {
    "name": "qwen",
    "type": "llm",
    "credentials": {"endpoint_url": "https://10.0.0.1:8443/v1", "api_key": "k"},
}
EMBEDS = {
    "name": "bge",
    "type": "text-embedding",
    "credentials": {"endpoint_url": "https://10.0.0.1:8443/v1", "api_key": "k"},
}
Asked = Callable[..., dict[str, Any]]


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The double's console module, its state in memory."""
    stores = types.ModuleType("stores")
    stores.database = None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "stores", stores)
    for name in ("dify", "engines"):
        monkeypatch.syspath_prepend(str(DOUBLES / name))
    for name in ("common", "console"):
        sys.modules.pop(name, None)
    module = importlib.import_module("console")
    yield module
    for name in ("common", "console"):
        sys.modules.pop(name, None)


def memory(double: Any) -> Any:  # noqa: ANN401 - a module by its path
    """Return a state that needs no database."""

    class Memory(double.State):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__("1.17.0")
            self.document: dict[str, Any] = {"models": [], "defaults": {}}
            self.accounts: dict[str, str] = {}
            self.done: list[tuple[Any, ...]] = []

        def run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
            if "FROM dify_setups" in statement:
                return self.done
            if "INTO dify_setups" in statement:
                self.done = [(datetime.now(UTC),)]
            if "INTO accounts" in statement:
                self.accounts[str(values[0])] = str(values[2])
            return (
                [(self.accounts[str(values[0])],)]
                if "FROM accounts" in statement and values[0] in self.accounts
                else []
            )

        def read(self) -> dict[str, Any]:
            return self.document

        def write(self, document: dict[str, Any]) -> None:
            self.document = document

    return Memory()


@pytest.fixture
def served(double: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:  # noqa: ANN401 - a module by its path
    """The double, serving: `url`, and what it keeps as `document`, `accounts`, `plugins`."""
    monkeypatch.setenv("INIT_PASSWORD", "i" * 30)

    installed: list[dict[str, str]] = []

    def daemon(method: str, path: str, body: bytes | None, kind: str) -> dict[str, Any]:
        del method, kind
        if path == "/install/upload/package":
            return {"unique_identifier": "sent"}
        if path == "/install/identifiers":
            installed.append(dict(package))
            return {"all_installed": True}
        if path == "/uninstall":
            installed.clear()
        if path == "/validate" and b"refused-key" in (body or b""):
            raise double.RefusedError(400, {"message": "Incorrect API key"})
        return {"list": list(installed)}

    package: dict[str, str] = {}
    monkeypatch.setattr(double, "daemon", daemon)
    double.Console.state = memory(double)
    # Its lines would stand in the module's output, which is the process's as well.
    monkeypatch.setattr(double.Console, "log_message", lambda *_: None)
    server = ThreadingHTTPServer(("127.0.0.1", 0), double.Console)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield types.SimpleNamespace(
        url=f"http://127.0.0.1:{server.server_port}",
        state=double.Console.state,
        installed=installed,
        package=package,
    )
    server.shutdown()
    server.server_close()


@pytest.fixture
def asked(served: Any, run_module: RunModule, tmp_path: Path) -> Asked:  # noqa: ANN401 - as above
    """Runs the module with a plugin's package."""
    path = tmp_path / "openai.difypkg"

    def run(*, content: str = "1", check: bool = False, **changes: object) -> dict[str, Any]:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("manifest.yaml", MANIFEST)
            archive.writestr("main.py", content)
        double_packages = importlib.import_module("packages")
        with zipfile.ZipFile(path) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        opened = double_packages.Opened(
            files, {"author": "double", "name": "openai", "version": "0.0.1"}, b""
        )
        served.package.update(
            plugin_unique_identifier=opened.identifier, plugin_id="double/openai", installation_id="7"
        )
        arguments = {
            "url": served.url, "init_password": "i" * 30, "email": "ops@example.com", "name": "admin",
            "password": "A-long-password-1", "provider": PROVIDER, "plugins": [str(path)],
            "models": [MODEL, EMBEDS],
        }  # fmt: skip
        return run_module("dify_console", arguments | changes, check=check)

    return run


def reasons(result: dict[str, Any]) -> dict[str, str]:
    return {f"{item['what']} {item['name']}": item["reason"] for item in result["items"] if item["changed"]}


def test_it_is_set_up_once(asked: Asked, served: Any) -> None:  # noqa: ANN401 - as above
    first = asked()
    assert not first["failed"], first
    assert reasons(first) == {
        "account ops@example.com": "made; the set-up is closed",
        "plugin double/openai": "installed",
        "model qwen": "registered",
        "model bge": "registered",
        "default llm": "qwen chosen",
        "default text-embedding": "bge chosen",
    }
    assert not asked()["changed"]
    assert "k" not in [model["name"] for model in served.state.document["models"]]


def test_check_mode_makes_nothing(asked: Asked, served: Any) -> None:  # noqa: ANN401 - as above
    assert asked(check=True)["changed"]
    assert served.state.accounts == {}
    asked()
    assert not asked(check=True)["changed"]


def test_a_new_key_is_told_and_a_model_that_is_gone_is_taken_out(asked: Asked, served: Any) -> None:  # noqa: ANN401
    asked()
    rotated = {**MODEL, "credentials": {**MODEL["credentials"], "api_key": "rotated"}}  # type: ignore[dict-item]
    assert reasons(asked(models=[rotated])) == {"model qwen": "told anew", "model bge": "served no more"}
    kept = served.state.document["models"]
    assert [model["credentials"]["api_key"] for model in kept] == ["rotated"]


def test_what_people_chose_stays(asked: Asked, served: Any) -> None:  # noqa: ANN401 - as above
    own = {
        "provider": PROVIDER,
        "model": "theirs",
        "model_type": "llm",
        "id": "1",
        "name": "mine",
        "credentials": {},
    }
    served.state.document = {"models": [own], "defaults": {"llm": {"model": "theirs"}}}
    assert "default llm" not in reasons(asked())
    assert own in served.state.document["models"]


def test_another_package_takes_the_place_of_the_one_that_is_there(asked: Asked, served: Any) -> None:  # noqa: ANN401
    asked()
    assert reasons(asked(content="2")) == {"plugin double/openai": "another version"}
    assert len(served.installed) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"init_password": "x" * 30}, "Init validation failed"),
        ({"models": [{**MODEL, "credentials": {"api_key": "refused-key"}}]}, "Incorrect API key"),
        ({"plugins": ["/nowhere.difypkg"]}, "nowhere"),
        ({"url": "http://127.0.0.1:1"}, "refused"),
    ],
)
def test_it_says_what_was_refused(asked: Asked, changes: dict[str, object], said: str) -> None:
    result = asked(**changes)
    assert result["failed"]
    assert said in result["msg"]
    assert "A-long-password-1" not in result["msg"]


def test_an_account_of_another_password_is_told(asked: Asked) -> None:
    asked()
    result = asked(password="Another-password-2")
    assert result["failed"]
    assert "vault_dify_admin_password" in result["msg"]
