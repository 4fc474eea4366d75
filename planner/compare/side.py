"""Two or more plans side by side: every frame has one column of numbers for each plan.

Plans are compared over the periods that all of them have, by name; what lies outside is summed
apart. A number that a plan does not have (a chip that its case does not know, say) is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from planner import views
from planner.costs import PAST_HORIZON
from planner.plan import Plan

Names = Sequence[str]
OFFER = ["offer", "cloud", "region", "chip"]
APART = "outside the common periods"


def common_periods(plans: Sequence[Plan]) -> list[str]:
    """Periods that every plan has, in order."""
    every = [set(plan.case.calendar.labels) for plan in plans[1:]]
    return [p for p in plans[0].case.calendar.labels if all(p in some for some in every)]


def _wide(keys: list[str], columns: dict[str, pd.Series[float]]) -> pd.DataFrame:
    """Series by the same keys as columns of one frame, in the order in which keys first appear."""
    order = list(dict.fromkeys(key for one in columns.values() for key in one.index.tolist()))
    index = (
        pd.MultiIndex.from_tuples(order, names=keys)
        if len(keys) > 1
        else pd.Index(order, name=keys[0])
    )
    frame = pd.DataFrame(
        {name: one.reindex(index).fillna(0.0) for name, one in columns.items()}, index=index
    )
    return frame.reset_index()


def headline(plans: Sequence[Plan], names: Names) -> pd.DataFrame:
    """Figures of merit: columns figure and one a plan, as text."""
    rows: dict[str, Callable[[Plan], str]] = {
        "case": lambda p: str(p.summary["case"]),
        "as_of": lambda p: p.case.settings.as_of.isoformat(),
        "periods": lambda p: f"{p.case.calendar.labels[0]} to {p.case.calendar.labels[-1]}",
        "cost_usd": lambda p: f"{p.objective_usd:.2f}",
        "bound_usd": lambda p: f"{p.bound_usd:.2f}",
        "gap": lambda p: f"{p.gap:.6f}",
        "status": lambda p: p.status,
        "contingencies": lambda p: str(p.summary.get("redundancy", {}).get("mode", "explicit")),
        "case_sha256": lambda p: str(p.summary["case_sha256"])[:16],
        "planner": lambda p: str(p.summary["versions"]["compute-planner"]),
    }
    content = {
        name: [say(plan) for say in rows.values()] for name, plan in zip(names, plans, strict=True)
    }
    return pd.DataFrame({"figure": list(rows), **content})


def cost(plans: Sequence[Plan], names: Names) -> pd.DataFrame:
    """Present value by term: columns term, where, and one a plan, USD.

    `where` is the common periods, the periods that not all plans have, or past the horizon. The
    present values of plans with different starts are those of their own starts.
    """
    shared = common_periods(plans)
    out = {}
    for name, plan in zip(names, plans, strict=True):
        table = plan.tables["cost_by_period"]
        where = [
            "common periods" if p in shared else p if p == PAST_HORIZON else APART
            for p in table["period"]
        ]
        out[name] = table.groupby([table["term"], pd.Series(where, index=table.index)], sort=False)[
            "present_value_usd"
        ].sum()
    frame = _wide(["term", "where"], out)
    return frame[(frame[list(names)] != 0).any(axis=1)].reset_index(drop=True)


def capacity(plans: Sequence[Plan], names: Names) -> pd.DataFrame:
    """Power under contract and by the hour, mean over the common periods: by, member, MW a plan."""
    shared = common_periods(plans)
    frames = []
    for by in ("cloud", "chip"):
        out = {}
        for name, plan in zip(names, plans, strict=True):
            fleet = views.fleet(plan)
            fleet = fleet[fleet.period.isin(shared)]
            out[name] = _weighted(plan, fleet, shared).groupby(fleet[by], sort=False).sum()
        frame = _wide(["member"], out)
        frame.insert(0, "by", by)
        frames.append(frame)
    both = pd.concat(frames, ignore_index=True)
    return both[(both[list(names)] != 0).any(axis=1)].reset_index(drop=True)


def _weighted(plan: Plan, fleet: pd.DataFrame, shared: list[str]) -> pd.Series[float]:
    """MW of the rows of a fleet, weighted by the hours of their period among the common ones."""
    hours = dict(zip(plan.case.calendar.labels, plan.case.calendar.hours().tolist(), strict=True))
    whole = sum(hours[p] for p in shared)
    share = fleet.period.map(lambda p: hours[p] / whole).astype(float)
    return fleet.power_mw * share


def contracts(plans: Sequence[Plan], names: Names) -> pd.DataFrame:
    """Lots by offer, pool and start: columns of both, then lots in each plan; all zeros left out.

    Contracts already signed that a plan leaves are rows with offer `leave <contract>` and 1.
    """
    out = {}
    for name, plan in zip(names, plans, strict=True):
        signed = plan.tables["contracts_signed"]
        lots = signed.groupby([*OFFER, "start"], sort=False)["lots"].sum()
        existing = plan.tables["contracts_existing"]
        left = existing[existing.decision == "leave"].assign(lots=1)
        gone = left.assign(offer="leave " + left.contract.astype(str), start=left.left_from)
        ended = gone.groupby([*OFFER, "start"], sort=False)["lots"].sum()
        out[name] = pd.concat([lots, ended]).astype(float)
    frame = _wide([*OFFER, "start"], out)
    frame = frame[(frame[list(names)] != 0).any(axis=1)]
    return frame.sort_values(["cloud", "region", "chip", "offer", "start"], ignore_index=True)


def differing(frame: pd.DataFrame, names: Names) -> pd.DataFrame:
    """Rows in which not all plans have the same."""
    first = frame[names[0]]
    other = [frame[name] != first for name in names[1:]]
    return frame[pd.concat(other, axis=1).any(axis=1)].reset_index(drop=True)


def serving(plans: Sequence[Plan], names: Names) -> pd.DataFrame:
    """Share of served work by cloud, chip and user geography, over each plan's whole horizon."""
    frames = []
    for by in ("cloud", "chip", "geography"):
        out = {
            name: views.flows(plan).groupby(by, sort=False)["share"].sum()
            for name, plan in zip(names, plans, strict=True)
        }
        frame = _wide(["member"], out)
        frame.insert(0, "by", by)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def unserved(plans: Sequence[Plan], names: Names) -> pd.DataFrame:
    """Share of demand that is not served, by class."""
    out = {
        name: pd.Series(
            {kind: float(part["share"]) for kind, part in plan.summary["unserved"].items()},
            dtype=float,
        )
        for name, plan in zip(names, plans, strict=True)
    }
    return _wide(["class"], out)


def prices(plans: Sequence[Plan], names: Names) -> pd.DataFrame:
    """Confirmed prices of limits, USD per unit, where every plan was priced (`planner prices`).

    Columns problem, kind, member, period, slice, unit and one a plan; empty when one was not.
    """
    keys = ["problem", "kind", "member", "period", "slice", "unit"]
    out = {}
    for name, plan in zip(names, plans, strict=True):
        parts = []
        for problem in ("investment", "operating"):
            table = plan.tables.get(f"prices_{problem}")
            if table is None:
                return pd.DataFrame(columns=[*keys, *names])
            some = table[table["shown"].astype(bool)].assign(problem=problem)
            parts.append(some.groupby(keys, sort=False)["price_usd"].first())
        out[name] = pd.concat(parts)
    return _wide(keys, out)
