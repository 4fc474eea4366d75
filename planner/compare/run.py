"""Compare plans: side by side, what their cases differ in, and the change of cost by cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from planner.compare import side
from planner.compare.inputs import changed_files, changed_rows
from planner.compare.waterfall import waterfall
from planner.errors import Fault, InputError
from planner.plan import Plan


@dataclass(frozen=True)
class Comparison:
    """Labelled frames; the first plan is the one that the others are held against."""

    names: tuple[str, ...]
    """Names of the plans; the columns of the frames."""
    periods: tuple[str, ...]
    """Periods that all plans have."""
    headline: pd.DataFrame
    cost: pd.DataFrame
    capacity: pd.DataFrame
    contracts: pd.DataFrame
    serving: pd.DataFrame
    unserved: pd.DataFrame
    prices: pd.DataFrame
    """These frames are those of `planner.compare.side`."""
    files: pd.DataFrame
    """Files of the cases against the first plan's: plan, then as in `planner.compare.inputs`."""
    inputs: pd.DataFrame
    """Cells that differ from the first plan's case: plan, then as in `planner.compare.inputs`."""
    waterfall: pd.DataFrame
    """Change of cost from the first plan by cause: plan, then as in `planner.compare.waterfall`."""

    def tables(self) -> dict[str, pd.DataFrame]:
        """The frames by name."""
        names = ("headline", "cost", "capacity", "contracts", "serving", "unserved", "prices",
                 "files", "inputs", "waterfall")  # fmt: skip
        return {name: getattr(self, name) for name in names}

    def same_problem(self, plan: str) -> bool:
        """Whether a plan's case is the first one's, and contingencies waived in both or none."""
        held = self.headline.set_index("figure").loc["contingencies"]
        alike = (held[plan] == "waived") == (held[self.names[0]] == "waived")
        return bool(alike and self.files[self.files.plan == plan].same.all())

    def least_cost_change(self, plan: str) -> tuple[float, float]:
        """Between what the least possible cost changed from the first plan's case, USD."""
        some = self.waterfall[self.waterfall.plan == plan]
        old, new = some.iloc[0], some.iloc[-1]
        return (
            float(new["low_usd"]) - float(old["high_usd"]),
            float(new["high_usd"]) - float(old["low_usd"]),
        )


def compare(
    plans: Sequence[Plan], names: Sequence[str] | None = None, *, causes: bool = True
) -> Comparison:
    """Hold plans against the first; `names` are A, B, ... when not given.

    Without `causes` no relaxation is solved and the waterfall is empty. Raises InputError for
    fewer than two plans, for names that are not as many or not distinct, and for plans without a
    common period.
    """
    called = tuple(names) if names is not None else tuple(map(chr, range(65, 65 + len(plans))))
    faults = []
    if len(plans) < 2:
        faults.append(Fault("compare", "two plans or more are needed"))
    if len(called) != len(plans) or len(set(called)) != len(called):
        faults.append(Fault("compare", "every plan needs a name of its own"))
    if plans and not side.common_periods(plans):
        faults.append(Fault("compare", "the plans have no period in common"))
    if faults:
        raise InputError(faults)
    first = plans[0]
    files, inputs, falls = [], [], []
    for name, plan in zip(called[1:], plans[1:], strict=True):
        files.append(_of(name, changed_files(first.case, plan.case)))
        inputs.append(_of(name, changed_rows(first.case, plan.case)))
        if causes:
            falls.append(_of(name, waterfall(first, plan)))
    empty = pd.DataFrame(columns=["plan", "step", "usd", "low_usd", "high_usd", "is_total", "says"])
    return Comparison(
        names=called,
        periods=tuple(side.common_periods(plans)),
        headline=side.headline(plans, called),
        cost=side.cost(plans, called),
        capacity=side.capacity(plans, called),
        contracts=side.contracts(plans, called),
        serving=side.serving(plans, called),
        unserved=side.unserved(plans, called),
        prices=side.prices(plans, called),
        files=pd.concat(files, ignore_index=True),
        inputs=pd.concat(inputs, ignore_index=True),
        waterfall=pd.concat(falls, ignore_index=True) if causes else empty,
    )


def _of(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    out = frame.copy()
    out.insert(0, "plan", name)
    return out
