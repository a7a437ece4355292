"""A site's own dashboards: taken as they are, or refused with file, value, rule and what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rackwright.catalogue.findings import FindingsError
from rackwright.dashboards.own import own
from rackwright.dashboards.provision import THEIRS, provisioned

PROMETHEUS = {"type": "prometheus", "uid": "rackwright-prometheus"}


def a_dashboard(**more: object) -> dict[str, Any]:
    panel = {
        "id": 1,
        "type": "timeseries",
        "title": "Answers",
        "datasource": PROMETHEUS,
        "gridPos": {"x": 0, "y": 0, "w": 12, "h": 8},
        "targets": [{"refId": "A", "expr": "sum(up)", "datasource": PROMETHEUS}],
    }
    return {"uid": "mine", "title": "Mine", "schemaVersion": 41, "panels": [panel], **more}


def write(folder: Path, name: str, content: object) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_text(text, encoding="utf-8")


def refused(folder: Path) -> str:
    with pytest.raises(FindingsError) as caught:
        own(folder)
    return caught.value.message


def test_it_is_taken_as_it_is_but_for_the_number_of_another_grafana(tmp_path: Path) -> None:
    write(tmp_path, "mine.json", a_dashboard(id=17, somethingNewer={"a": 1}))
    (found,) = own(tmp_path)
    assert found.content == a_dashboard(somethingNewer={"a": 1})
    (file,) = (file for file in provisioned([], gpu=False, folder=tmp_path) if file.folder == THEIRS)
    assert json.loads(file.content) == found.content


def test_as_grafanas_api_gives_it(tmp_path: Path) -> None:
    write(tmp_path, "mine.json", {"meta": {}, "dashboard": a_dashboard(id=3)})
    assert own(tmp_path)[0].content == a_dashboard()


def test_no_folder_is_no_dashboard(tmp_path: Path) -> None:
    assert own(tmp_path / "dashboards") == []


def test_broken_promql_in_a_panel(tmp_path: Path) -> None:
    broken = a_dashboard()
    broken["panels"][0]["targets"][0]["expr"] = "sum(rate(up[5m])"
    write(tmp_path, "mine.json", broken)
    told = refused(tmp_path)
    assert "panel 'Answers': sum(rate(up[5m])" in told
    assert "it must be PromQL: unclosed left parenthesis" in told
    assert str(tmp_path / "mine.json") in told


def test_broken_promql_within_a_folded_row(tmp_path: Path) -> None:
    inner = a_dashboard()["panels"]
    inner[0]["targets"][0]["expr"] = "rate(up)"
    row = {"id": 9, "type": "row", "collapsed": True, "title": "More", "panels": inner}
    write(tmp_path, "mine.json", a_dashboard(panels=[row]))
    assert "expected type matrix" in refused(tmp_path)


def test_queries_of_other_sources_are_not_promql(tmp_path: Path) -> None:
    loki = {"type": "loki", "uid": "rackwright-loki"}
    content = a_dashboard()
    content["panels"][0] |= {
        "datasource": loki,
        "targets": [{"refId": "A", "expr": '{host="a"} |= "x"', "datasource": loki}],
    }
    write(tmp_path, "mine.json", content)
    assert len(own(tmp_path)) == 1


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("{", "it must be JSON"),
        ([1], "it must be one dashboard"),
        ({"title": "Mine", "panels": []}, "it must have a uid"),
        (a_dashboard(uid="a b"), "letters, digits, _ and -"),
        (a_dashboard(uid="rackwright-host"), "one of ours"),
        (a_dashboard(__inputs=[{"name": "DS_PROMETHEUS"}]), "Export for sharing externally"),
        (a_dashboard(refresh=30), "dashboard.refresh is 30: it must be str"),
        (a_dashboard(panels={}), "dashboard.panels must be a list"),
    ],
)
def test_what_is_refused(tmp_path: Path, content: object, what: str) -> None:
    write(tmp_path, "mine.json", content)
    assert what in refused(tmp_path)


def test_all_findings_of_all_files_at_once(tmp_path: Path) -> None:
    write(tmp_path, "a.json", "{")
    write(tmp_path, "b.json", a_dashboard())
    write(tmp_path, "c.json", a_dashboard())
    told = refused(tmp_path)
    assert "a.json" in told
    assert "this is that of b.json" in told
