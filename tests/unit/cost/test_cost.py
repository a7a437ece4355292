"""The reckoning: the deployment plan's example and rule of thumb, and what must hold for all numbers."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from rackwright.catalogue.findings import FindingsError
from rackwright.cli.cost import command
from rackwright.cost.chart import chart_svg, panels, scale, short
from rackwright.cost.make import default_inputs
from rackwright.cost.model import Reckoning, Verdict, reckon
from rackwright.cost.page import cost_page
from rackwright.cost.report import as_dict, sentences
from rackwright.cost.settings import CostSettings, Inputs, inputs_of, parse_settings

LARGE_PRICE = Decimal(50_000) / 300  # a million tokens, where 300 million a month cost 50,000
TIERS = {"entry": (30_000, 500), "standard": (80_000, 1_500), "enterprise": (200_000, 5_000)}


def reckoned(**changes: Any) -> Reckoning:  # noqa: ANN401 - any field of Inputs
    values: dict[str, Any] = {
        "currency": "CNY",
        "dialogues_per_day": 10_000,
        "tokens_in": 600,
        "tokens_out": 400,
        "days_per_month": 30,
        "cloud_input_per_million": LARGE_PRICE,
        "cloud_output_per_million": LARGE_PRICE,
        "cloud_monthly": Decimal(0),
        "hardware": Decimal(180_000),
        "years": Decimal(3),
        "residual_percent": Decimal(0),
        "monthly": Decimal(5_000),
        "watts": None,
        "power_price_kwh": Decimal("0.8"),
        "staff_share": Decimal(0),
        "staff_monthly_pay": Decimal(20_000),
    }
    return reckon(Inputs(**(values | changes)))


def tier(name: str, dialogues: int) -> Reckoning:
    hardware, monthly = TIERS[name]
    return reckoned(hardware=Decimal(hardware), monthly=Decimal(monthly), dialogues_per_day=dialogues)


def test_the_plans_example() -> None:
    """10,000 dialogues of 1,000 tokens: 50,000 a month in a cloud, 10,000 private, 80 % saved."""
    found = reckoned()
    assert round(found.cloud_monthly, 6) == 50_000
    assert found.private_monthly == 10_000
    assert found.saving_percent is not None
    assert round(found.saving_percent, 6) == 80


def test_the_projects_defaults_are_the_plans_example_on_the_tier_of_its_size() -> None:
    found = reckon(default_inputs(CostSettings()))
    assert found.inputs.sources["hardware"] == "tier enterprise"
    assert round(found.cloud_monthly) == 50_000
    # 200,000 over three years and 5,000 to run: the plan's 10,000, to 6 %.
    assert round(found.private_monthly) == 10_556


@pytest.mark.parametrize(
    ("name", "dialogues", "verdict"),
    [
        # Under 1,000 a day a cloud is cheaper: so it is on any tier but the smallest …
        ("standard", 700, Verdict.CLOUD),
        ("enterprise", 999, Verdict.CLOUD),
        # … whose hardware is worth it from 267 a day on: the rule is not about small servers.
        ("entry", 266, Verdict.CLOUD),
        ("entry", 267, Verdict.PRIVATE),
        ("entry", 999, Verdict.PRIVATE),
        # The plan's own 10,000 a month are a cloud's price of 2,000 a day, twice what its rule says.
        ("enterprise", 2_111, Verdict.CLOUD),
        ("enterprise", 2_112, Verdict.PRIVATE),
    ],
)
def test_which_is_cheaper(name: str, dialogues: int, verdict: Verdict) -> None:
    assert tier(name, dialogues).verdict is verdict


@pytest.mark.parametrize(
    ("name", "dialogues", "months"),
    [
        # 1,000 to 10,000 pays back in 6 to 12 months: where load and hardware fit each other.
        ("standard", 1_700, "11.4"),
        ("standard", 2_900, "6.2"),
        ("enterprise", 4_400, "11.8"),
        ("enterprise", 7_600, "6.1"),
        # At its ends the rule is too kind and too harsh: 1,000 a day take 23 months, 10,000 only 4.
        ("standard", 1_000, "22.9"),
        ("enterprise", 10_000, "4.4"),
    ],
)
def test_when_the_hardware_is_paid(name: str, dialogues: int, months: str) -> None:
    found = tier(name, dialogues)
    assert found.break_even_months is not None
    assert f"{found.break_even_months:.1f}" == months
    assert found.pays_back


def test_over_ten_thousand_saves_eighty_percent() -> None:
    found = tier("enterprise", 10_556)
    assert found.dialogues_for_saving(Decimal(80)) == 10_556
    assert found.saving_percent is not None
    assert found.saving_percent >= 80


def test_todays_prices_of_open_models_turn_the_example_round() -> None:
    """At 2 and 8 CNY a million the same 10,000 dialogues cost 1,320 a month in a cloud."""
    found = reckoned(cloud_input_per_million=Decimal(2), cloud_output_per_million=Decimal(8))
    assert found.cloud_monthly == 1_320
    assert (found.verdict, found.break_even_months) == (Verdict.CLOUD, None)
    assert "never" in " ".join(sentences(found))


def test_power_is_counted_once() -> None:
    inside = reckoned()
    apart = reckoned(watts=Decimal(2_000))
    assert [part.monthly for part in inside.private if part.name == "power"] == [0]
    power = Decimal(2) * 24 * 365 / 12 * Decimal("0.8")
    assert round(apart.private_monthly - inside.private_monthly, 9) == round(power, 9)
    from_tier = reckoned(watts=Decimal(2_000), sources={"monthly": "tier enterprise"})
    assert from_tier.private_monthly == inside.private_monthly
    hungry = reckoned(watts=Decimal(20_000), sources={"monthly": "tier enterprise"})
    assert round(hungry.running_monthly, 9) == round(power * 10, 9)


def test_people_and_what_is_left_of_the_hardware() -> None:
    found = reckoned(staff_share=Decimal("0.5"), residual_percent=Decimal(10))
    assert found.private_monthly == Decimal(4_500 + 5_000 + 10_000)


AMOUNTS = st.decimals(min_value=0, max_value=10**7, places=2)
SOME = st.decimals(min_value=Decimal("0.01"), max_value=10**7, places=2)


@given(load=st.integers(1, 10**6), price=SOME, hardware=AMOUNTS, monthly=AMOUNTS, years=st.integers(1, 10))
def test_breaks_even_are_where_they_are_said_to_be(
    load: int, price: Decimal, hardware: Decimal, monthly: Decimal, years: int
) -> None:
    prices = {"cloud_input_per_million": price, "cloud_output_per_million": price}
    rest = {"hardware": hardware, "monthly": monthly, "years": Decimal(years)}
    found = reckoned(dialogues_per_day=load, **prices, **rest)
    even = found.break_even_dialogues
    assert even is not None
    slack = Decimal("1e-12") * (found.private_monthly + 1)
    assert reckoned(dialogues_per_day=even, **prices, **rest).saving_monthly >= -slack
    if even > 0:
        assert reckoned(dialogues_per_day=even - 1, **prices, **rest).saving_monthly < slack
    months = found.break_even_months
    if months is None:
        assert found.cloud_monthly <= found.running_monthly
    else:
        both = found.cloud_after(months), found.private_after(months)
        assert abs(both[0] - both[1]) <= Decimal("1e-9") * (both[0] + 1)
    # Paid back within its life is the same as cheaper over its life.
    assert found.pays_back is (found.saving_monthly >= -slack) or abs(found.saving_monthly) <= slack


def test_nothing_asked_and_nothing_bought() -> None:
    nobody = reckoned(dialogues_per_day=0)
    assert nobody.per_thousand(nobody.private_monthly) is None
    assert nobody.saving_percent is None
    assert nobody.verdict is Verdict.CLOUD
    there = reckoned(hardware=Decimal(0), monthly=Decimal(0))
    assert (there.break_even_months, there.break_even_dialogues) == (0, 0)
    free = reckoned(cloud_input_per_million=Decimal(0), cloud_output_per_million=Decimal(0))
    assert free.break_even_dialogues is None
    for found in (nobody, there, free):
        json.dumps(as_dict(found))
        ET.fromstring(chart_svg(found))  # noqa: S314 - our own text
        list(sentences(found))


@pytest.mark.parametrize(
    ("given_", "where"),
    [
        ({"dialogues_per_day": -1}, "cost.dialogues_per_day"),
        ({"dialogues_per_day": 1.5}, "cost.dialogues_per_day"),
        ({"hardware": "many"}, "cost.hardware"),
        ({"hardware": True}, "cost.hardware"),
        ({"hardware": float("nan")}, "cost.hardware"),
        ({"years": 0}, "cost.years"),
        ({"currency": "yuan"}, "cost.currency"),
        ({"residual_percent": 101}, "cost.residual_percent"),
        ({"hardwear": 1}, "cost.hardwear"),
        ("lots", "cost"),
    ],
)
def test_wrong_numbers_are_refused_by_name(given_: object, where: str) -> None:
    with pytest.raises(FindingsError) as refused:
        parse_settings("cost", given_)
    assert [finding.variable for finding in refused.value.findings] == [where]


def test_the_site_wins_over_defaults_and_the_command_line_over_the_site() -> None:
    defaults = default_inputs(CostSettings()).model_dump(exclude={"sources", "hardware", "monthly", "watts"})
    layers = {
        "default": CostSettings(**defaults),
        "site": parse_settings("cost", {"hardware": 1_000, "years": 5, "tokens_in": 7}),
        "command line": parse_settings("cost", {"years": 4}),
    }
    found = inputs_of(layers, tier="entry", tier_hardware=Decimal(30_000), tier_monthly=Decimal(500))
    assert (found.hardware, found.years, found.tokens_in, found.monthly) == (1_000, 4, 7, 500)
    assert [found.sources[name] for name in ("hardware", "years", "monthly", "tokens_out")] == [
        "site",
        "command line",
        "tier entry",
        "default",
    ]
    with pytest.raises(FindingsError, match="dialogues_per_day"):
        inputs_of({}, tier="entry", tier_hardware=Decimal(1), tier_monthly=Decimal(1))


@given(st.decimals(min_value=Decimal("0.01"), max_value=10**12, places=2))
def test_an_axis_has_round_numbers_that_hold_the_most(most: Decimal) -> None:
    ticks = scale(most)
    assert ticks[0] == 0
    assert ticks[-2] < most <= ticks[-1]
    assert 3 <= len(ticks) <= 7
    assert len({short(tick) for tick in ticks}) == len(ticks)


def test_the_picture_marks_where_the_lines_meet() -> None:
    found = reckoned()
    spent, month = panels(found)
    assert spent.meet is not None
    assert month.meet is not None
    for panel in (spent, month):
        place = panel.meet[0] if panel.meet else Decimal(0)
        assert abs(panel.at(panel.cloud, place) - panel.at(panel.own, place)) < Decimal(10)
    words = " ".join(ET.fromstring(chart_svg(found)).itertext())  # noqa: S314 - our own text
    assert "paid after 4.0 months" in words
    assert "even at 2,000 a day" in words


class _Outside(HTMLParser):
    """Collects what a page would fetch from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [tag for name, _ in attrs if name in ("src", "href")]


def test_a_page_of_its_own() -> None:
    page = cost_page(reckoned())
    reader = _Outside()
    reader.feed(page)
    assert reader.fetched == []
    assert "prefers-color-scheme:dark" in page
    assert "80.0 %" in page


def test_the_command(tmp_path: Path) -> None:
    page, picture = tmp_path / "cost.html", tmp_path / "cost.svg"
    arguments = [
        "--dialogues-per-day",
        "1000",
        "--tier",
        "standard",
        "--html",
        str(page),
        "--svg",
        str(picture),
    ]
    told = CliRunner().invoke(command, arguments, env={"RACKWRIGHT_INVENTORY": ""})
    assert told.exit_code == 0, told.output
    assert "1,000 dialogues a day" in told.output
    assert "after 22.9 months" in told.output
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert picture.read_text().startswith("<svg")
    answer = CliRunner().invoke(command, ["--json"], env={"RACKWRIGHT_INVENTORY": ""})
    assert json.loads(answer.output)["schema"] == {"name": "rackwright.cost", "version": 1}
