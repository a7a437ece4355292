"""The reckoning: months, breaks-even and savings, exact to the last digit until they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from enum import Enum

from rackwright.cost.settings import Inputs

MILLION = Decimal(1_000_000)
MONTHS = Decimal(12)
HOURS_PER_DAY = Decimal(24)
# The mean month: machines run on days without questions, too.
DAYS_PER_MEAN_MONTH = Decimal(365) / MONTHS
ONE, HUNDRED = Decimal(1), Decimal(100)
PER = Decimal(1000)


class Verdict(Enum):
    """Which is cheaper."""

    PRIVATE = "private"
    CLOUD = "cloud"
    EQUAL = "equal"


@dataclass(frozen=True)
class Part:
    """One line of a month's costs."""

    name: str
    monthly: Decimal
    rule: str


@dataclass(frozen=True)
class Reckoning:
    """What both ways cost.

    Attributes:
        inputs: what it was made from.
        cloud: the parts of a month in a cloud.
        private: the parts of a private platform's month.
    """

    inputs: Inputs
    cloud: tuple[Part, ...]
    private: tuple[Part, ...]

    @property
    def dialogues_per_month(self) -> int:
        """Questions with their answers, a month."""
        return self.inputs.dialogues_per_day * self.inputs.days_per_month

    @property
    def cloud_monthly(self) -> Decimal:
        """A month in a cloud."""
        return sum((part.monthly for part in self.cloud), Decimal(0))

    @property
    def private_monthly(self) -> Decimal:
        """A month of a private platform, a part of the hardware included."""
        return sum((part.monthly for part in self.private), Decimal(0))

    @property
    def running_monthly(self) -> Decimal:
        """The same without the hardware: what has to be paid every month."""
        return self.private_monthly - depreciation(self.inputs)

    @property
    def saving_monthly(self) -> Decimal:
        """What a private platform saves a month; negative when it costs more."""
        return self.cloud_monthly - self.private_monthly

    @property
    def saving_percent(self) -> Decimal | None:
        """The same of what a cloud costs; None when a cloud costs nothing."""
        return self.saving_monthly / self.cloud_monthly * HUNDRED if self.cloud_monthly else None

    @property
    def verdict(self) -> Verdict:
        """Which is cheaper over the hardware's life."""
        if self.saving_monthly == 0:
            return Verdict.EQUAL
        return Verdict.PRIVATE if self.saving_monthly > 0 else Verdict.CLOUD

    @property
    def life_months(self) -> Decimal:
        """For how long the hardware is used, in months."""
        return self.inputs.years * MONTHS

    @property
    def break_even_months(self) -> Decimal | None:
        """After how many months the hardware is paid by what a cloud would have cost; None: never."""
        monthly = self.cloud_monthly - self.running_monthly
        if self.inputs.hardware == 0 and monthly >= 0:
            return Decimal(0)
        return self.inputs.hardware / monthly if monthly > 0 else None

    @property
    def pays_back(self) -> bool:
        """Whether that is within the hardware's life."""
        months = self.break_even_months
        return months is not None and months <= self.life_months

    @property
    def break_even_dialogues(self) -> int | None:
        """From how many dialogues a day a private platform is no dearer; None when no number is enough."""
        price = price_per_dialogue(self.inputs) * self.inputs.days_per_month
        rest = self.private_monthly - self.inputs.cloud_monthly
        if rest <= 0:
            return 0
        return int((rest / price).to_integral_value(ROUND_CEILING)) if price else None

    def dialogues_for_saving(self, percent: Decimal) -> int | None:
        """From how many dialogues a day a private platform saves so much; None when no number is enough."""
        price = price_per_dialogue(self.inputs) * self.inputs.days_per_month
        if not price or percent >= HUNDRED:
            return None
        wanted = self.private_monthly / (ONE - percent / HUNDRED) - self.inputs.cloud_monthly
        return max(0, int((wanted / price).to_integral_value(ROUND_CEILING)))

    def per_thousand(self, monthly: Decimal) -> Decimal | None:
        """A month's costs for a thousand dialogues; None when there are none."""
        return monthly / self.dialogues_per_month * PER if self.dialogues_per_month else None

    def cloud_at(self, dialogues_per_day: Decimal) -> Decimal:
        """A month in a cloud at another load."""
        spoken = price_per_dialogue(self.inputs) * dialogues_per_day * self.inputs.days_per_month
        return spoken + self.inputs.cloud_monthly

    def cloud_after(self, months: Decimal) -> Decimal:
        """All that a cloud has cost after some months."""
        return self.cloud_monthly * months

    def private_after(self, months: Decimal) -> Decimal:
        """All that a private platform has cost after some months, the hardware first."""
        return self.inputs.hardware + self.running_monthly * months


def price_per_dialogue(inputs: Inputs) -> Decimal:
    """What a cloud asks for one question with its answer."""
    sent = inputs.tokens_in * inputs.cloud_input_per_million
    answered = inputs.tokens_out * inputs.cloud_output_per_million
    return (sent + answered) / MILLION


def depreciation(inputs: Inputs) -> Decimal:
    """The hardware's part of a month."""
    return inputs.hardware * (ONE - inputs.residual_percent / HUNDRED) / (inputs.years * MONTHS)


def power(inputs: Inputs) -> Decimal:
    """What power costs a month, day and night; 0 where the monthly running holds it."""
    if inputs.watts is None:
        return Decimal(0)
    return inputs.watts / PER * HOURS_PER_DAY * DAYS_PER_MEAN_MONTH * inputs.power_price_kwh


def reckon(inputs: Inputs) -> Reckoning:
    """Reckon what both ways cost a month."""
    days = inputs.days_per_month
    sent = inputs.tokens_in * inputs.cloud_input_per_million / MILLION * inputs.dialogues_per_day * days
    answered = inputs.tokens_out * inputs.cloud_output_per_million / MILLION * inputs.dialogues_per_day * days
    cloud = (
        Part("tokens sent", sent, "dialogues x days x tokens in x price"),
        Part("tokens answered", answered, "dialogues x days x tokens out x price"),
        Part("fixed", inputs.cloud_monthly, "as given"),
    )
    electricity = power(inputs)
    running = inputs.monthly
    rule = "as given, power included"
    if inputs.watts is not None:
        rule = "as given, power apart"
        if inputs.sources.get("monthly", "").startswith("tier"):
            # The tier's figure holds power; what power takes more than that comes on top.
            running, rule = max(Decimal(0), inputs.monthly - electricity), "the tier's, less power"
    private = (
        Part("hardware", depreciation(inputs), "(price - residual) / (years x 12)"),
        Part("running", running, rule),
        Part("power", electricity, "watts x 24 h x 365 / 12 days x price"),
        Part("people", inputs.staff_share * inputs.staff_monthly_pay, "share x pay"),
    )
    return Reckoning(inputs, cloud, private)
