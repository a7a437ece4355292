"""What the reckoning is made of: defaults, the tier's figures, the site's own."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from rackwright.catalogue.findings import Finding, FindingsError, short

_DOCS = "docs/cost.md"


def _decimal(value: object) -> object:
    """Take money as it is written; a float would bring digits that nobody wrote."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError("it must be a number")  # noqa: TRY004 - pydantic turns it into a finding
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError("it must be a number") from None
    if not number.is_finite():
        raise ValueError("it must be a number")
    return number


_Number = Annotated[Decimal, BeforeValidator(_decimal)]
Amount = Annotated[_Number, Field(ge=0, le=Decimal("1e12"))]
Percent = Annotated[_Number, Field(ge=0, le=100)]
Count = Annotated[int, Field(ge=0, le=10**12)]


class CostSettings(BaseModel):
    """A site's numbers; what is left out comes from `cost_defaults` and from the tier."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    dialogues_per_day: Count | None = None
    tokens_in: Count | None = None
    tokens_out: Count | None = None
    days_per_month: Annotated[int, Field(ge=1, le=31)] | None = None
    cloud_input_per_million: Amount | None = None
    cloud_output_per_million: Amount | None = None
    cloud_monthly: Amount | None = None
    hardware: Amount | None = None
    years: Annotated[_Number, Field(gt=0, le=20)] | None = None
    residual_percent: Percent | None = None
    monthly: Amount | None = None
    watts: Amount | None = None
    power_price_kwh: Amount | None = None
    staff_share: Annotated[_Number, Field(ge=0, le=100)] | None = None
    staff_monthly_pay: Amount | None = None


class Inputs(BaseModel):
    """Everything the reckoning needs, each from the strongest source that gives it.

    Attributes:
        currency: ISO 4217 code of every amount.
        dialogues_per_day: questions with their answers, a day.
        tokens_in: tokens sent to the model for one of them.
        tokens_out: tokens that it answers.
        days_per_month: days on which it is used.
        cloud_input_per_million: price of a million tokens sent.
        cloud_output_per_million: price of a million tokens answered.
        cloud_monthly: what a cloud costs a month whatever is asked.
        hardware: bought once.
        years: for how long it is used.
        residual_percent: of its price, what it is still worth then.
        monthly: running costs apart from people; power is in it unless `watts` is given.
        watts: mean draw, cooling included; None when `monthly` holds it.
        power_price_kwh: price of a kWh.
        staff_share: people who run it, beyond what a cloud would need too.
        staff_monthly_pay: what one costs a month.
        sources: where each value comes from: `site`, `default`, `tier …` or `command line`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    currency: str
    dialogues_per_day: int
    tokens_in: int
    tokens_out: int
    days_per_month: int
    cloud_input_per_million: Decimal
    cloud_output_per_million: Decimal
    cloud_monthly: Decimal
    hardware: Decimal
    years: Decimal
    residual_percent: Decimal
    monthly: Decimal
    watts: Decimal | None
    power_price_kwh: Decimal
    staff_share: Decimal
    staff_monthly_pay: Decimal
    sources: Mapping[str, str] = Field(default_factory=dict)


def parse_settings(variable: str, value: object) -> CostSettings:
    """Check a site's numbers.

    Args:
        variable: how the findings call it.
        value: a mapping, as the inventory holds it.

    Raises:
        FindingsError: what is wrong, with every finding.
    """
    if not isinstance(value, Mapping):
        raise FindingsError(
            [Finding(variable, short(value), "it must be a mapping", f"{_DOCS} has the keys")]
        )
    try:
        return CostSettings.model_validate(dict(value))
    except ValidationError as error:
        raise FindingsError([_finding(variable, problem) for problem in error.errors()]) from None


def _finding(variable: str, problem: Any) -> Finding:  # noqa: ANN401 - pydantic's own shape
    name = ".".join((variable, *map(str, problem["loc"])))
    if problem["type"] == "extra_forbidden":
        known = ", ".join(CostSettings.model_fields)
        return Finding(name, short(problem["input"]), "there is no such key", f"the keys: {known}")
    rule = problem["msg"].removeprefix("Value error, ").replace("Input should", "it must")
    return Finding(name, short(problem["input"]), rule, f"{_DOCS} says what it means")


def inputs_of(
    layers: Mapping[str, CostSettings], *, tier: str, tier_hardware: Decimal, tier_monthly: Decimal
) -> Inputs:
    """Lay the sources over each other.

    Args:
        layers: where from -> settings, the weakest first.
        tier: name of the tier.
        tier_hardware: what the tier's hardware costs.
        tier_monthly: what it costs to run a month, power included.

    Raises:
        FindingsError: A value has no source at all.
    """
    values: dict[str, Any] = {"hardware": tier_hardware, "monthly": tier_monthly, "watts": None}
    sources = {"hardware": f"tier {tier}", "monthly": f"tier {tier}", "watts": "none: in the monthly running"}
    for source, settings in layers.items():
        for name, value in settings.model_dump(exclude_none=True).items():
            values[name], sources[name] = value, source
    missing = [name for name in CostSettings.model_fields if name not in values]
    if missing:
        raise FindingsError(
            [
                Finding(f"cost.{name}", "(absent)", "it must be set", f"{_DOCS} says what it means")
                for name in missing
            ]
        )
    return Inputs(**values, sources=sources)
