"""Offers that a plan does not use, and the price at which they would enter the relaxation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from planner.prices.lp import Priced, Problem

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
BY_PRICE = ("spend_accrued", "budget", "deal_minimum", "commitment", "carry_over")
"""Constraints in which the coefficients of lots and of chips by the hour follow their price."""
MARGIN = 0.01
"""At this share below the entry price the offer has been seen to enter."""
STEP_DOWN = 0.8
"""Share of the bound at which an offer that did not enter just below it is tried next."""
MOST_STEPS = 12
"""Re-solves for one offer before it is left with an upper bound of its entry price."""
TIED = 1e-9
"""Starts that break even within this share of the first do so together: the earliest is told."""
USED = 1e-6
"""Lots or chips above this count as in use."""
COLUMNS = (
    "offer", "cloud", "region", "chip", "kind", "start", "price_usd_per_chip_hour",
    "entry_price_usd_per_chip_hour", "discount_to_enter", "seen_to_enter", "says",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Unused:
    """An offer in a pool, and its columns."""

    offer: str
    """Name of the offer."""
    pool: str
    """Pool that it holds for."""
    kind: str
    """`term`, `option` or `by the hour`."""
    columns: Ints
    """Its columns in the problem."""
    starts: tuple[str, ...]
    """Period of each column."""
    prices: Floats
    """Price of each column, USD per chip and hour."""


def unused_offers(problem: Problem, used: Iterable[tuple[str, str]]) -> list[Unused]:
    """Offers, options included, without a lot or an hour; `used` has (offer, pool) of the rest."""
    inst, labels = problem.inst, problem.labels
    st, pay, periods = inst.starts, inst.pay, inst.time.periods
    taken = set(used)
    groups: dict[tuple[str, str, str], list[tuple[int, str, float]]] = {}
    at = labels.find_columns("lots", np.arange(len(st.names))[:, None])
    for j, column in enumerate(at.tolist()):
        kind = "term" if inst.options.of_start[j] < 0 else "option"
        key = (st.offer[j], inst.pools.names[st.pool[j]], kind)
        start = periods[st.period[j]]
        groups.setdefault(key, []).append((column, start, float(st.price_usd_per_chip_hour[j])))
    index = np.argwhere(pay.max_chips > 0)
    for s in range(len(inst.time.slices)):
        cells = np.column_stack([index, np.full(len(index), s)])
        for (v, t), column in zip(
            index.tolist(), labels.find_columns("hourly", cells).tolist(), strict=True
        ):
            key = (pay.offer[v], inst.pools.names[pay.pool[v]], "by the hour")
            price = float(pay.price_usd_per_chip_hour[v, t])
            groups.setdefault(key, []).append((column, periods[t], price))
    return [
        Unused(
            offer, pool, kind, np.array([c for c, _, _ in cells], dtype=np.int64),
            tuple(start for _, start, _ in cells), np.array([price for _, _, price in cells]),
        )
        for (offer, pool, kind), cells in groups.items()
        if (offer, pool) not in taken
    ]  # fmt: skip


@dataclass(frozen=True)
class Tried:
    """What a solve with an offer at a share of its price said."""

    enters: bool
    """Whether any of its columns is in use."""
    proven: float
    """Share above which its duals prove that the offer stays out; inf when it enters."""
    points_at: float
    """Share at which its saving would end; inf when it stays out."""


class Pricer:
    """Scales the price of offers in the investment problem and solves it hot."""

    def __init__(self, one: Priced) -> None:
        """Find the rows in which prices stand."""
        self.one = one
        self.priced_row = np.zeros(one.matrix.shape[0], dtype=bool)
        for name in BY_PRICE:
            if name in one.matrix.rows:
                self.priced_row[one.matrix.rows[name]] = True
        self.cost = one.matrix.objective

    def worth(self, columns: Ints, y: Floats) -> Floats:
        """Share of its price at which each column breaks even at duals y [column].

        The reduced cost at a share f of the price is f (c - y'A_price) - y'A_fixed; 0 or less
        where no price at all is low enough.
        """
        a = self.one.matrix.a[:, columns]
        follows = a.T @ np.where(self.priced_row, y, 0.0)
        fixed = a.T @ np.where(self.priced_row, 0.0, y)
        own = self.cost[columns] - follows
        share = np.divide(fixed, own, out=np.full(len(columns), np.inf), where=own > 0)
        out: Floats = np.where(own > 0, share, np.where(fixed > 0, np.inf, 0.0))
        return out

    def _entries(self, columns: Ints) -> tuple[Ints, Ints, Floats]:
        """Rows, columns and values of the coefficients that follow the price."""
        block = self.one.matrix.a[:, columns].tocoo()
        rows, cols = block.coords
        keep = self.priced_row[rows]
        return rows[keep].astype(np.int64), columns[cols[keep]], block.data[keep]

    def at_share(self, columns: Ints, share: float) -> Tried:
        """Solve with the columns at a share of their price."""
        one, session = self.one, self.one.session
        rows, cols, values = self._entries(columns)
        session.set_costs(columns, share * self.cost[columns])
        session.set_coefficients(rows, cols, share * values)
        session.set_basis(one.basis)
        result = session.solve_lp(one.patience_s)
        session.set_costs(columns, self.cost[columns])
        session.set_coefficients(rows, cols, values)
        if result.status != "optimal":
            return Tried(False, share, np.inf)
        if not (result.x[columns] > USED).any():
            return Tried(False, min(share, float(self.worth(columns, result.y).max())), np.inf)
        paid = float(self.cost[columns] @ result.x[columns])
        saved = float(self.cost @ (one.x - result.x)) + (1.0 - share) * paid
        return Tried(True, np.inf, share + saved / paid if paid > 0 else np.inf)

    def entry_share(self, columns: Ints) -> tuple[float, bool]:
        """Share of its price at which an unused offer enters, and whether it was seen to.

        Above it the duals prove that it stays out; MARGIN below it, it was seen to enter. Duals
        are not unique, so that the first of them may prove too little: then the share is closed in
        from both sides. Below its entry an offer is bought until the saving is used up, and the
        line along which it saves points at the share where the saving ends.
        """
        low, high = 0.0, float(self.worth(columns, self.one.y).max())
        share, failed = (1.0 - MARGIN) * high, 0
        for _ in range(MOST_STEPS):
            if high <= 0 or not np.isfinite(high):
                break
            tried = self.at_share(columns, share)
            failed = 0 if tried.enters else failed + 1
            low = max(low, share) if tried.enters else low
            high = min(high, tried.proven)
            if low >= (1.0 - MARGIN) * high:
                return high, True
            if tried.enters:
                aim = (1.0 + MARGIN / 2) * tried.points_at
                share = aim if low < aim < (1.0 - MARGIN) * high else (low + high) / 2
            elif not low:
                share = STEP_DOWN * high
            else:
                share = (1.0 - MARGIN) * high if failed < 2 else (low + high) / 2
        return high, False


def entry_prices(
    problem: Problem, one: Priced, used: Iterable[tuple[str, str]], most_checked: int
) -> pd.DataFrame:
    """Unused offers, nearest to entering first; columns as COLUMNS.

    The entry price is that of the start that breaks even first. The `most_checked` nearest are
    searched by re-solving; of the others the duals prove an upper bound.
    """
    pricer = Pricer(one)
    offers = unused_offers(problem, used)
    worth = [pricer.worth(o.columns, one.y) for o in offers]
    order = sorted(range(len(offers)), key=lambda i: -float(worth[i].max()))
    rows = []
    for rank, i in enumerate(order):
        offer = offers[i]
        share, seen = float(worth[i].max()), False
        at = int(np.argmax(worth[i] >= share * (1.0 - TIED)))
        inside = bool((one.x[offer.columns] > USED).any())
        if inside:
            share, seen = 1.0, True
            says = "in the relaxation at its price: only whole numbers keep it out of the plan"
        elif rank < most_checked:
            share, seen = pricer.entry_share(offer.columns)
            says = "enters 1 % below" if seen else "enters at most at this price"
        else:
            says = "enters at most at this price (not searched)"
        if share <= 0:
            share, says = 0.0, "enters at no price: nothing needs it"
        price = float(offer.prices[at])
        rows.append(
            (offer.offer, *offer.pool.split("/", 2), offer.kind, offer.starts[at], price,
             share * price, 1.0 - share, seen, says)
        )  # fmt: skip
    one.restore()
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.sort_values("discount_to_enter", kind="stable", ignore_index=True)
