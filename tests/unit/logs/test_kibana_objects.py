"""What brings Kibana's saved objects in force: what it writes and leaves, and what it says of a refusal."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from rackwright.logs.agent import kibana
from rackwright.logs.agent.client import Client
from rackwright.logs.agent.objects import RefusedError
from rackwright.site.paths import repository_root

ROOT = repository_root()
SOURCE = {"query": {"query": "x", "language": "kuery"}, "filter": []}
VIEW = {"type": "index-pattern", "id": "logs", "attributes": {"title": "a-*"}, "references": []}
SEARCH = {
    "type": "search",
    "id": "one",
    "attributes": {"title": "One", "kibanaSavedObjectMeta": {"searchSourceJSON": json.dumps(SOURCE)}},
    "references": [],
}


class Server:
    """Answers as Kibana does, from memory."""

    def __init__(self) -> None:
        self.saved: dict[str, Any] = {}
        self.default = ""
        self.refuses = False
        self.imports = 0

    def request(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        assert headers["kbn-xsrf"]
        if path == "/api/status":
            return 200, json.dumps({"version": {"number": "8.19.0"}}).encode()
        if path == "/api/data_views/default":
            if method == "POST":
                self.default = json.loads(body)["data_view_id"]
            return 200, json.dumps({"data_view_id": self.default}).encode()
        if path.endswith("/_export"):
            wanted = json.loads(body)["objects"][0]
            found = self.saved.get(wanted["id"])
            return (200, json.dumps(found).encode()) if found else (400, b'{"message": "Error fetching"}')
        assert path == "/api/saved_objects/_import?overwrite=true"
        self.imports += 1
        given = json.loads(body.split(b"\r\n\r\n", 1)[1].split(b"\r\n", 1)[0])
        if self.refuses:
            return 200, json.dumps({"success": False, "errors": [{"error": {"type": "conflict"}}]}).encode()
        # As Kibana does: more than it was given, and the text of the source in its own order.
        source = given["attributes"].get("kibanaSavedObjectMeta")
        if source:
            told = json.loads(source["searchSourceJSON"])
            source["searchSourceJSON"] = json.dumps(dict(reversed(told.items())))
        self.saved[given["id"]] = {**given, "managed": False, "typeMigrationVersion": "8.0.0"}
        return 200, b'{"success": true, "successCount": 1}'


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Server:
    made = Server()
    monkeypatch.setattr(Client, "request", lambda _, *given: made.request(*given))
    (tmp_path / "provisioner.password").write_text("secret\n")
    (tmp_path / "objects.json").write_text(json.dumps([VIEW, SEARCH]))
    return made


def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    kibana.main(["https://10.0.0.1:5601/kibana", str(tmp_path), "", *options])
    return capsys.readouterr().out.splitlines()


def test_what_differs_is_written_and_nothing_else(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    everything = ["changed index-pattern/logs", "changed search/one", "changed default data view"]
    assert run(tmp_path, capsys, "--check") == everything
    assert (server.imports, server.default) == (0, "")
    assert run(tmp_path, capsys) == everything
    assert run(tmp_path, capsys) == []
    server.saved["one"]["attributes"]["title"] = "Mine"
    assert run(tmp_path, capsys) == ["changed search/one"]
    assert server.imports == 3


def test_a_refusal_names_the_object(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.refuses = True
    with pytest.raises(SystemExit, match=r"rackwright-kibana: index-pattern logs: .*conflict"):
        run(tmp_path, capsys)


def test_an_account_that_is_not_let_in_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    redacted = b'{"status": {"overall": {"level": "available"}}}'
    monkeypatch.setattr(Client, "request", lambda *_: (200, redacted))
    (tmp_path / "provisioner.password").write_text("wrong")
    with pytest.raises(RefusedError, match="is not let in"):
        kibana.Server("https://10.0.0.1:5601", tmp_path, "").wait()


def test_the_path_is_the_one_that_the_edge_passes_on() -> None:
    services = yaml.safe_load((ROOT / "group_vars/all/services.yml").read_text(encoding="utf-8"))["services"]
    role = yaml.safe_load((ROOT / "roles/kibana/vars/main/main.yml").read_text(encoding="utf-8"))
    assert [route["path"] for route in services["kibana"]["edge"]] == [f"{role['__kibana_path']}/"]
