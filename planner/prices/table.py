"""Prices as tables, each checked by finite steps on both sides.

Sign: `price_usd` is what one more unit of a limit saves, or of a requirement costs, in present
USD, all else re-optimised. One less unit costs, or saves, `one_less_usd` a unit; one more
`one_more_usd`. As cost is convex in the unit, any dual lies between the two. A price is shown
only when they agree; where they do not, the limit sits on a kink and has no one price.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.limits import INVESTMENT, OPERATING, Limit, limits_of
from planner.matrix import Matrix
from planner.plan import Plan
from planner.prices.lp import Priced, Problem, problem_of, solved

Floats = npt.NDArray[np.float64]
MOST_CHECKED = 150
"""Prices of one problem that are checked by steps unless told otherwise: those with most at
stake, dealt out among the kinds."""
STEPS = (1e-3, 1e-5)
"""Steps as shares of the amount; the second only where the first finds a kink."""
LEAST_STEP = 1e-2
"""Smallest step, in units of the limit: a finer one drowns in the solver's tolerance."""
AGREE = 1e-2
"""Relative difference of the one-sided prices up to which they count as one."""
NOISE_USD = 1e-6
"""Below this, a price is the solver's rounding."""
KINDS = {"operating": OPERATING, "investment": INVESTMENT}
COLUMNS = (
    "kind", "member", "period", "slice", "unit", "sense", "amount", "price_usd", "one_less_usd",
    "one_more_usd", "dual_usd", "step", "rate_usd", "rate_unit", "stake_usd", "shown",
    "why_not_shown",
)  # fmt: skip

NUMBERS = ("amount", "price_usd", "one_less_usd", "one_more_usd", "dual_usd", "step", "rate_usd",
           "stake_usd")  # fmt: skip


@dataclass(frozen=True)
class Prices:
    """Prices of a plan and what they rest on."""

    operating: pd.DataFrame
    """Prices once every whole number is decided; columns as COLUMNS."""
    investment: pd.DataFrame
    """Prices in the relaxation, where lots may be fractions; columns as COLUMNS."""
    summary: pd.DataFrame
    """problem, value_usd, limits (with rows of their own), binding, checked, shown."""
    duals: pd.DataFrame
    """problem, constraint, index, dual (USD per unit of the row): what every price is made of."""

    def tables(self) -> dict[str, pd.DataFrame]:
        """By the names they have in a run folder."""
        return {
            "prices_operating": self.operating,
            "prices_investment": self.investment,
            "prices_summary": self.summary,
            "prices_duals": self.duals,
        }


def prices(plan: Plan, most_checked: int = MOST_CHECKED) -> Prices:
    """Both kinds of prices of a plan; `most_checked` of each are checked by steps and shown.

    Raises PlannerError when the plan's problem cannot be built or solved again.
    """
    problem = problem_of(plan)
    return prices_of(problem, [solved(problem, name) for name in KINDS], most_checked)


def prices_of(problem: Problem, priced: Iterable[Priced], most_checked: int) -> Prices:
    """Prices from solved problems (operating, then investment)."""
    limits = limits_of(problem.case, problem.inst, problem.labels)
    tables, summary, duals = [], [], []
    for one in priced:
        some = [limit for limit in limits if limit.kind in KINDS[one.name]]
        table = price_table(one, some, most_checked)
        tables.append(table)
        checked = int((table.step > 0).sum())
        shown = int(table.shown.sum())
        summary.append((one.name, one.value_usd, len(some), len(table), checked, shown))
        duals.append(_duals(one))
    names = ["problem", "value_usd", "limits", "binding", "checked", "shown"]
    return Prices(tables[0], tables[1], pd.DataFrame(summary, columns=names), pd.concat(duals))


def dual_price(limit: Limit, y: Floats, reduced: Floats) -> float:
    """What the duals say of one unit: d cost / d unit, or its negative for a limit, USD.

    A column's upper bound counts where its reduced cost is negative.
    """
    at_bound = np.minimum(reduced[limit.columns], 0.0)
    slope = float(limit.row_weights @ y[limit.rows] + limit.column_weights @ at_bound)
    return slope if limit.costs else -slope


def amounts(one: Priced, limits: list[Limit]) -> list[float]:
    """How much of each there is, in its unit: half of what its largest row adds up, or bound."""
    a = abs(one.matrix.a)
    size = np.maximum(a @ np.abs(one.x) / 2.0, _finite(one.matrix))
    out = []
    for limit in limits:
        parts = [0.0]
        if len(limit.rows):
            parts.append(float((size[limit.rows] / np.abs(limit.row_weights)).max()))
        if len(limit.columns):
            high = one.high[limit.columns]
            by_bound = np.where(np.isfinite(high), high, 0.0) / np.abs(limit.column_weights)
            parts.append(float(by_bound[limit.column_weights == 1.0].max(initial=0.0)))
        out.append(max(parts))
    return out


def _finite(matrix: Matrix) -> Floats:
    sides = [
        np.where(np.isfinite(side), np.abs(side), 0.0)
        for side in (matrix.row_lower, matrix.row_upper)
    ]
    out: Floats = np.maximum(*sides)
    return out


def price_table(
    one: Priced, limits: list[Limit], most_checked: int, *, by_rate: bool = False
) -> pd.DataFrame:
    """Prices of the limits that have a dual; columns as COLUMNS.

    Those with most at stake (price times amount, or the highest rate) come first and are checked.
    """
    found = []
    for limit, amount in zip(limits, amounts(one, limits), strict=True):
        price = dual_price(limit, one.y, one.reduced)
        if abs(price) > NOISE_USD:
            first = abs(price) * (limit.rate if by_rate else max(amount, 1.0))
            found.append((first, price, amount, limit))
    found.sort(key=lambda entry: -entry[0])
    chosen = _deal_out([limit.kind for *_, limit in found], most_checked)
    rows = [
        _row(one, limit, price, amount, i in chosen)
        for i, (_, price, amount, limit) in enumerate(found)
    ]
    one.restore()
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    # A table without rows has columns of no type, which cannot be counted or asked.
    return table.astype(dict.fromkeys(NUMBERS, float) | {"shown": bool})


def _deal_out(kinds: list[str], most: int) -> set[int]:
    """The first `most` positions, taken in turns among the kinds."""
    seen: Counter[str] = Counter()
    turn = []
    for i, kind in enumerate(kinds):
        turn.append((seen[kind], i))
        seen[kind] += 1
    return {i for _, i in sorted(turn)[:most]}


def _row(one: Priced, limit: Limit, price: float, amount: float, check: bool) -> tuple[object, ...]:
    less = more = np.nan
    step = 0.0
    why = "not checked: less at stake than those that are"
    if check:
        for step in sorted({max(share * amount, LEAST_STEP) for share in STEPS}, reverse=True):
            less, more = one_sided(one, limit, step)
            why = _doubt(price, less, more)
            if not why:
                break
    shown = not why
    said = price if shown else np.nan
    rate = said * limit.rate if limit.rate else np.nan
    return (
        limit.kind, limit.member, limit.period, limit.slice, limit.unit,
        "costs" if limit.costs else "saves", amount, said, less, more, price, step, rate,
        limit.rate_unit, abs(price) * max(amount, 1.0), shown, why,
    )  # fmt: skip


def one_sided(one: Priced, limit: Limit, step: float) -> tuple[float, float]:
    """Price of a unit by a finite step to less and to more, USD; inf where nothing is feasible."""
    changes = [
        one.step(
            limit.rows, sign * step * limit.row_weights,
            limit.columns, sign * step * limit.column_weights,
        )
        for sign in (-1.0, 1.0)
    ]  # fmt: skip
    less, more = -changes[0] / step, changes[1] / step
    return (less, more) if limit.costs else (-less, -more)


def _doubt(price: float, less: float, more: float) -> str:
    """Why a price is not shown; empty when it is."""
    if not np.isfinite(less):
        return "no plan of these whole numbers has one less: only one more has a price"
    if not np.isfinite(more):
        return "no plan of these whole numbers has one more: only one less has a price"
    low, high = min(less, more), max(less, more)
    room = AGREE * max(abs(low), abs(high), abs(price)) + NOISE_USD
    if high - low > room:
        return "a kink: one less and one more differ"
    if not low - room <= price <= high + room:
        return "the duals are not between the one-sided prices"
    return ""


def _duals(one: Priced) -> pd.DataFrame:
    """Row duals that are not 0, labelled."""
    parts = []
    for name, span in one.matrix.rows.items():
        y = one.y[span]
        index = one.matrix.row_index[name]
        for i in np.flatnonzero(y).tolist():
            key = index[i]
            text = ";".join(map(str, key)) if isinstance(key, tuple) else str(key)
            parts.append((one.name, name, "" if key is None else text, float(y[i])))
    return pd.DataFrame(parts, columns=["problem", "constraint", "index", "dual"])
