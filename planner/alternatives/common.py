"""What several plans have in common: decisions that are right whichever of them is taken."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from planner.plan import Plan

COLUMNS = ["kind", "what", "where", "period", "count", "chips", "by"]
OFFER = ["offer", "cloud", "region", "chip"]


def in_common(plans: Sequence[Plan]) -> pd.DataFrame:
    """Decisions that every plan makes: columns kind, what, where, period, count, chips, by.

    lots: of an offer in a pool, the lots that every plan has started by the end of the period
    beyond those of the rows before (`count`, `chips`), and the earliest date `by` which one of the
    plans signs them; leave: a contract that all leave, in the latest of their periods; placement:
    a run that all place alike; deal, qualification: what all sign or begin to enable, in
    the latest of their periods. Lots of exercised options count like those of offers.
    """
    rows = _lots(plans) + _leave(plans) + _placements(plans) + _rules(plans)
    return pd.DataFrame(rows, columns=COLUMNS)


Row = tuple[str, str, str, str, int, float, str]


def _lots(plans: Sequence[Plan]) -> list[Row]:
    periods = plans[0].case.calendar.labels
    each = [dict(list(plan.tables["contracts_signed"].groupby(OFFER))) for plan in plans]
    rows: list[Row] = []
    for key in each[0]:
        if any(key not in signed for signed in each):
            continue
        offer, *pool = map(str, key)
        one = each[0][key]
        lot_chips = float(one.chips.iloc[0] / one.lots.iloc[0])
        before = 0
        for t, period in enumerate(periods):
            started = [
                some[some["start"].isin(periods[: t + 1])] for some in (e[key] for e in each)
            ]
            least = min(int(some.lots.sum()) for some in started)
            if least > before:
                by = min(_signing(some, before) for some in started)
                count = least - before
                rows.append(
                    ("lots", offer, "/".join(pool), period, count, count * lot_chips, by)
                )  # fmt: skip
                before = least
    return rows


def _signing(some: pd.DataFrame, before: int) -> str:
    """Date by which a plan signs its lot number before + 1."""
    ordered = some.sort_values("start", kind="stable")
    at = int((ordered.lots.cumsum() <= before).sum())
    return str(ordered.sign_by.iloc[at])[:10]


def _leave(plans: Sequence[Plan]) -> list[Row]:
    periods = plans[0].case.calendar.labels
    each = []
    for plan in plans:
        table = plan.tables["contracts_existing"]
        left = table[table.decision == "leave"].drop_duplicates("contract")
        each.append(dict(zip(left.contract, left.left_from, strict=True)))
    return [
        ("leave", str(name), "", max((e[name] for e in each), key=periods.index), 1, 0.0, "")
        for name in each[0]
        if all(name in e for e in each)
    ]


def _placements(plans: Sequence[Plan]) -> list[Row]:
    each = []
    for plan in plans:
        runs = plan.tables["training_runs"]
        each.append(dict(zip(runs.run, runs.placement.astype(str), strict=True)))
    return [
        ("placement", str(run), place, "", 1, 0.0, "")
        for run, place in each[0].items()
        if place and all(e[run] == place for e in each)
    ]


RULES = (
    ("deal", "deals", ("deal",), "signed_in"),
    ("qualification", "qualification", ("chip", "generation", "purpose"), "begins"),
)
"""Kind, table, the columns that name its member, and its period."""


def _rules(plans: Sequence[Plan]) -> list[Row]:
    """Members of the rules' tables that all plans have with a period."""
    periods = plans[0].case.calendar.labels
    rows: list[Row] = []
    for kind, table, names, when in RULES:
        each = []
        for plan in plans:
            some = plan.tables.get(table, pd.DataFrame(columns=[*names, when]))
            some = some[some[when].isin(periods)]
            keys = (" ".join(map(str, key)) for key in zip(*(some[n] for n in names), strict=True))
            each.append(dict(zip(keys, some[when], strict=True)))
        for key in each[0]:
            if all(key in e for e in each):
                latest = max((str(e[key]) for e in each), key=periods.index)
                rows.append((kind, key, "", latest, 1, 0.0, ""))
    return rows
