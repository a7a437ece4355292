import pytest
import yaml

from rackwright.site.paths import repository_root
from rackwright.site.versions import version_findings

SUM = "0" * 64


def test_the_projects_versions_are_pinned() -> None:
    text = (repository_root() / "versions.yml").read_text(encoding="utf-8")
    assert list(version_findings(yaml.safe_load(text)["versions"])) == []


@pytest.mark.parametrize(
    "entry",
    [
        {"version": "1.2.3"},
        {"package_version": "1:0.7.0+dfsg-2"},
        {"version": "v0.16.0-rc.1", "url": "https://mirror.example/x.tar.gz", "sha256": SUM},
        {"image": "qdrant/qdrant", "version": "1.12.4", "digest": f"sha256:{SUM}"},
        {"image": f"qdrant/qdrant@sha256:{SUM}", "version": "1.12.4"},
        {"version": "1.0", "files": {"amd64": {"url": "https://mirror.example/a", "sha256": SUM}}},
    ],
)
def test_pinned(entry: dict[str, object]) -> None:
    assert list(version_findings({"thing": entry})) == []


@pytest.mark.parametrize(
    ("entry", "variable", "rule"),
    [
        ({"version": "latest"}, "versions.thing.version", "exact"),
        ({"version": ""}, "versions.thing.version", "exact"),
        ({"version": None}, "versions.thing.version", "exact"),
        ({"version": ">=1.2"}, "versions.thing.version", "exact"),
        ({"version": "~1.2"}, "versions.thing.version", "exact"),
        ({"version": "1.x"}, "versions.thing.version", "exact"),
        ({"version": "1.*"}, "versions.thing.version", "exact"),
        ({"version": "1.2, 1.3"}, "versions.thing.version", "exact"),
        ({"version": 1.1}, "versions.thing.version", "a version is text"),
        ({}, "versions.thing", "every entry carries an exact version"),
        ({"package": "nginx"}, "versions.thing", "every entry carries an exact version"),
        ({"version": "1", "url": "https://mirror.example/x"}, "versions.thing.url", "needs `sha256`"),
        ({"version": "1", "url": "https://mirror.example/x", "sha256": "00"}, "versions.thing.url", "64 hex"),
        ({"version": "1", "image": "x/y:1"}, "versions.thing.image", "needs `digest`"),
        ({"version": "1", "image": "x/y", "digest": "sha256:12"}, "versions.thing.image", "needs `digest`"),
        ({"version": "1", "tag": "latest"}, "versions.thing.tag", "pins nothing"),
        (
            {"version": "1", "parts": {"a": {"url": "https://m.example/a"}}},
            "versions.thing.parts.a.url",
            "sha256",
        ),
        ("1.2.3", "versions.thing", "an entry is a mapping"),
    ],
)
def test_unpinned(entry: object, variable: str, rule: str) -> None:
    (finding,) = version_findings({"thing": entry})
    assert finding.variable == variable
    assert rule in finding.rule
    assert finding.hint
