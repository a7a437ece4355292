"""Every dashboard of ours: its queries are PromQL, Grafana's schema takes it, and it stands as it should."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from rackwright.dashboards.boards import BOARDS
from rackwright.dashboards.model import GPU, Board, Have, Panel, Query, Row, reduced
from rackwright.dashboards.promql import broken, filled, metrics, problem
from rackwright.dashboards.provision import OURS, provisioned
from rackwright.dashboards.render import LOG_STORES, rendered
from rackwright.dashboards.schema import problems
from rackwright.errors import RackwrightError
from rackwright.site.paths import repository_root

# Their roles arrive with the logs.
COMING = frozenset({"loki", "elasticsearch"})
each = pytest.mark.parametrize("board", BOARDS, ids=[board.uid for board in BOARDS])


def a_board(*panels: Panel) -> Board:
    return Board("mine", "Mine", "", (Row("Row", panels),))


@each
def test_every_query_is_promql(board: Board) -> None:
    assert list(broken(board)) == []


@each
def test_a_query_reads_something(board: Board) -> None:
    for panel, query in board.queries():
        assert metrics(query.expr), f"{panel.title}: {query.expr}"


@each
@pytest.mark.parametrize("store", ["", *LOG_STORES])
def test_grafanas_schema_takes_it(board: Board, store: str) -> None:
    assert problems(rendered(board, store).content) == []


@each
def test_panels_stand_beside_one_another_and_nowhere_twice(board: Board) -> None:
    content = rendered(board).content
    taken: Counter[tuple[int, int]] = Counter()
    assert isinstance(content["panels"], list)
    for panel in content["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = ((x, y) for x in range(place["w"]) for y in range(place["h"]))
        taken.update((place["x"] + x, place["y"] + y) for x, y in cells)
    assert max(taken.values()) == 1
    numbers = [panel["id"] for panel in content["panels"]]
    assert len(set(numbers)) == len(numbers)


def test_every_dashboard_has_an_address_of_its_own() -> None:
    assert len({board.uid for board in BOARDS}) == len(BOARDS)
    assert all(board.uid.startswith("rackwright-") and len(board.uid) <= 40 for board in BOARDS)


def test_what_a_query_needs_is_in_the_catalogue() -> None:
    text = (repository_root() / "group_vars/all/services.yml").read_text(encoding="utf-8")
    known = {*yaml.safe_load(text)["services"], GPU, *COMING}
    needed = {need for board in BOARDS for _, query in board.queries() for need in query.needs}
    assert needed - known == set(), "a dashboard needs a service that the catalogue does not have"


def test_thresholds_go_upwards_in_the_order_of_their_harm() -> None:
    usual = Panel("usual", (Query("up"),), warn=80.0, bad=90.0)
    small = Panel("small", (Query("up"),), warn=30.0, bad=7.0, low=True)
    one = Panel("one", (Query("up"),), bad=1.0, low=True)
    content = rendered(a_board(usual, small, one)).content
    assert isinstance(content["panels"], list)
    steps = [
        [(step["value"], step["color"]) for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]
        for panel in content["panels"][1:]
    ]
    assert steps == [
        [(None, "green"), (80.0, "yellow"), (90.0, "red")],
        [(None, "red"), (7.0, "yellow"), (30.0, "green")],
        [(None, "red"), (1.0, "green")],
    ]


def test_a_site_gets_what_it_can_fill() -> None:
    nothing = {board.uid for board in BOARDS if reduced(board, Have(frozenset())) is not None}
    assert nothing == {"rackwright-overview", "rackwright-host", "rackwright-logs", "rackwright-capacity"}
    gpus = {board.uid for board in BOARDS if reduced(board, Have(frozenset(), gpu=True)) is not None}
    assert gpus - nothing == {"rackwright-gpu"}


def test_one_engines_queries_are_left_out_where_another_serves() -> None:
    (inference,) = (board for board in BOARDS if board.uid == "rackwright-inference")
    kept = reduced(inference, Have(frozenset({"app", "vllm"})))
    assert kept is not None
    needs = {need for _, query in kept.queries() for need in query.needs}
    assert needs == {"app", "vllm"}


@pytest.mark.parametrize(
    ("expr", "what"),
    [
        ("sum(rate(up[5m])", "unclosed left parenthesis"),
        ("rate(up)", "expected type matrix"),
        ("nosuch(up)", "unknown function"),
        ('up{host=~"("}', "regex"),
        ("", "no expression"),
    ],
)
def test_what_prometheus_would_refuse_is_told(expr: str, what: str) -> None:
    assert what in (problem(expr) or "")


def test_variables_are_filled_in_as_grafana_does() -> None:
    expr = 'rate(x{host=~"$host", zone=~"${zone:regex}", a=~"[[a]]"}[$__rate_interval])'
    assert filled(expr, {"zone": "data"}) == 'rate(x{host=~".*", zone=~"data", a=~".*"}[5m])'
    assert metrics(f"{expr} / on (host) y") == {"x", "y"}


def test_a_broken_query_of_ours_is_refused_with_its_panel(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = a_board(Panel("Load", (Query("sum(up"),)))
    monkeypatch.setattr("rackwright.dashboards.provision.BOARDS", (bad,))
    with pytest.raises(RackwrightError, match=r"dashboard mine, panel 'Load': sum\(up is no PromQL"):
        provisioned(["app"], gpu=False)


def test_all_files_have_names_of_their_own_and_are_the_same_every_time(tmp_path: Path) -> None:
    services = ["app", "nginx", "postgresql", "redis", "llama_cpp", "backup", "alertmanager"]
    files = provisioned(services, gpu=True, log_store="loki", folder=tmp_path)
    assert {file.folder for file in files} == {OURS}
    assert len({file.name for file in files}) == len(files)
    assert files == provisioned(services, gpu=True, log_store="loki")


def test_the_schema_check_finds_what_is_wrong() -> None:
    content = rendered(replace(BOARDS[0])).content
    panels = content["panels"]
    assert isinstance(panels, list)
    panels[1]["options"]["graphMode"] = "zigzag"
    panels[2]["gridPos"]["w"] = "8"
    panels[3]["targets"][0]["expr"] = 3
    content["nonsense"] = 1
    told = "\n".join(problems(content))
    assert "panels[1].options.graphMode is 'zigzag': it must be one of 'none', 'line', 'area'" in told
    assert "panels[2].gridPos.w is '8': it must be int" in told
    assert "panels[3].targets[0].expr is 3: it must be str" in told
    assert "dashboard.nonsense is no field of Dashboard" in told
    assert len(problems(content, strict=False)) == 3
