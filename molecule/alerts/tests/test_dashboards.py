"""Every query of every dashboard that this site gets, and of the weekly report, against its Prometheus."""

from __future__ import annotations

import pytest
from machines import Machines
from watching import Query

from rackwright.dashboards.boards import BOARDS
from rackwright.dashboards.model import GPU, Board, Have, reduced
from rackwright.dashboards.promql import filled
from rackwright.report.collect import have_of
from rackwright.report.questions import questions


@pytest.fixture(scope="module")
def have(machines: Machines) -> Have:
    return have_of(machines.site, gpu=False)


@pytest.mark.parametrize("board", BOARDS, ids=[board.uid for board in BOARDS])
def test_every_query_returns_data(board: Board, have: Have, query: Query) -> None:
    kept = reduced(board, have)
    if kept is None:
        needs = {need for _, asked in board.queries() for need in asked.needs}
        assert GPU in needs or not needs & have.services, f"{board.uid} needs {needs}, and the site has that"
        return
    # One that only some sites have says so, and is at least no error.
    empty = [
        f"{panel.title}: {asked.expr}"
        for panel, asked in kept.queries()
        if not query(filled(asked.expr)) and not asked.rare
    ]
    assert empty == []


def test_every_question_of_the_report_is_answered(have: Have, query: Query) -> None:
    for asked in questions(7, have):
        query(asked["expr"])
    now = {asked["name"]: query(asked["expr"]) for asked in questions(7, have) if not asked["hours"]}
    assert {name for name in ("cpu_now", "memory_now", "disk_now", "disk_free") if not now[name]} == set()
