"""The reckoning for machines and in words."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from rackwright.cost.model import MONTHS, Reckoning, Verdict, price_per_dialogue

SCHEMA_VERSION = 1
CENT = Decimal("0.01")
_TENTH = Decimal("0.1")
# The saving that the deployment plan names for large loads.
NAMED_SAVING = Decimal(80)


def rounded(amount: Decimal, step: Decimal = CENT) -> Decimal:
    """Round as invoices do."""
    return amount.quantize(step, rounding=ROUND_HALF_UP)


def money(amount: Decimal | None, step: Decimal = Decimal(1)) -> str:
    """Write an amount for people, in whole units unless told otherwise."""
    return "-" if amount is None else f"{rounded(amount, step):,}"


def months(reckoning: Reckoning) -> str:
    """Say when the hardware is paid."""
    found = reckoning.break_even_months
    if found is None:
        return "never: a cloud costs less than running it"
    text = f"after {rounded(found, _TENTH)} months"
    life = f"the hardware's life of {reckoning.inputs.years} years"
    return text if reckoning.pays_back else f"{text}, past {life}"


def sentences(reckoning: Reckoning) -> Iterator[str]:
    """Say what it means."""
    currency, saving = reckoning.inputs.currency, reckoning.saving_monthly
    if reckoning.verdict is Verdict.EQUAL:
        yield "Both cost the same."
    elif reckoning.verdict is Verdict.PRIVATE:
        share = reckoning.saving_percent or Decimal(0)
        percent = rounded(share, _TENTH)
        yield f"A private platform is cheaper: {money(saving)} {currency} a month, {percent} %."
    else:
        yield f"A cloud is cheaper: by {money(-saving)} {currency} a month."
    yield f"The hardware is paid {months(reckoning)}."
    dialogues = reckoning.break_even_dialogues
    if dialogues is None:
        yield "No number of dialogues makes a private platform cheaper, since a cloud asks nothing for them."
    else:
        yield f"From {dialogues:,} dialogues a day on a private platform is no dearer."
        large = reckoning.dialogues_for_saving(NAMED_SAVING)
        if large is not None:
            yield f"It saves {NAMED_SAVING} % from {large:,} a day on, if the hardware carries them."
    if not reckoning.inputs.staff_share:
        yield "People are not counted on either side (cost.staff_share)."


def as_dict(reckoning: Reckoning) -> dict[str, Any]:
    """Return everything for JSON; amounts are text, so that no digit is lost."""
    inputs = reckoning.inputs
    percent, break_even = reckoning.saving_percent, reckoning.break_even_months
    values = inputs.model_dump(exclude={"sources"})
    return {
        "schema": {"name": "rackwright.cost", "version": SCHEMA_VERSION},
        "currency": inputs.currency,
        "inputs": {
            name: {
                "value": str(value) if isinstance(value, Decimal) else value,
                "source": inputs.sources.get(name, ""),
            }
            for name, value in values.items()
        },
        "cloud": _side(reckoning, reckoning.cloud_monthly, cloud=True),
        "private": _side(reckoning, reckoning.private_monthly, cloud=False),
        "saving": {
            "monthly": str(rounded(reckoning.saving_monthly)),
            "yearly": str(rounded(reckoning.saving_monthly * MONTHS)),
            "percent": None if percent is None else str(rounded(percent, _TENTH)),
        },
        "verdict": reckoning.verdict.value,
        "break_even": {
            "months": None if break_even is None else str(rounded(break_even, _TENTH)),
            "within_life": reckoning.pays_back,
            "dialogues_per_day": reckoning.break_even_dialogues,
            "dialogues_per_day_saving_80_percent": reckoning.dialogues_for_saving(NAMED_SAVING),
        },
        "sentences": list(sentences(reckoning)),
    }


def _side(reckoning: Reckoning, monthly: Decimal, *, cloud: bool) -> dict[str, Any]:
    per_thousand = reckoning.per_thousand(monthly)
    side: dict[str, Any] = {
        "parts": [
            {"name": part.name, "monthly": str(rounded(part.monthly)), "rule": part.rule}
            for part in (reckoning.cloud if cloud else reckoning.private)
        ],
        "monthly": str(rounded(monthly)),
        "yearly": str(rounded(monthly * MONTHS)),
        "per_thousand_dialogues": None if per_thousand is None else str(rounded(per_thousand)),
    }
    if cloud:
        side["per_dialogue"] = str(price_per_dialogue(reckoning.inputs).normalize())
    return side
