"""Options in signed contracts as arrays: which lines, when their lots can start, how many."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from planner.case import Case, most_specific
from planner.case.commercial import Contract
from planner.case.options import ContractOption
from planner.instance.axes import Contracts, Floats, Options

LINE = ("contract", "cloud", "region", "chip")


def options_of(case: Case, contracts: Contracts) -> Options:
    """Options of every line; `of_start` is empty until the starts are made.

    A renewal starts at the line's end when as_of leaves its notice, and takes at most the chips
    delivered in the period before. An expansion starts in its window, in any period that the
    contract covers from its beginning, from as_of + lead on.
    """
    calendar = case.calendar
    by_name: dict[str, list[ContractOption]] = {}
    for row in case.options:
        by_name.setdefault(row.option, []).append(row)
    ending = _ending_chips(contracts)
    found: list[tuple[ContractOption, int, int]] = []
    starts = []
    for line, signed in enumerate(case.contracts):
        target = tuple(getattr(signed, key) for key in LINE)
        for rows in by_name.values():
            chosen = most_specific(rows, LINE, target)
            if chosen is None:
                continue
            most = chosen.max_lots
            if chosen.kind == "renewal":
                kept = int((ending[line] + 1e-6) // chosen.lot_chips)
                most = kept if most is None else min(most, kept)
            assert most is not None
            found.append((chosen, line, most))
            starts.append(_starts_in(case, chosen, signed, int(
                contracts.leave_until[contracts.line_contract[line]]
            )))  # fmt: skip
    step = calendar.months
    return Options(
        names=tuple(f"{o.option}: {contracts.line_names[line]}" for o, line, _ in found),
        option=tuple(o.option for o, _, _ in found),
        line=np.array([line for _, line, _ in found], dtype=np.int64),
        renewal=np.array([o.kind == "renewal" for o, _, _ in found], dtype=bool),
        lot_chips=np.array([o.lot_chips for o, _, _ in found], dtype=float),
        most_lots=np.array([most for _, _, most in found], dtype=np.int64),
        price_usd_per_chip_hour=np.array([o.price_usd_per_chip_hour for o, _, _ in found]),
        price_basis=tuple(o.basis for o, _, _ in found),
        term_periods=np.array([o.term_months // step for o, _, _ in found], dtype=np.int64),
        upfront_share=np.array([o.upfront_share for o, _, _ in found], dtype=float),
        notice_days=np.array([notice_days(o) for o, _, _ in found], dtype=np.int64),
        starts_in=np.array(starts, dtype=bool).reshape(len(found), len(calendar)),
        ending_chips=ending,
        of_start=np.zeros(0, dtype=np.int64),
    )


def notice_days(option: ContractOption) -> int:
    """Days before the start of its lots by which an option must be exercised."""
    return option.exercise_by_days if option.kind == "renewal" else option.lead_days


def _ending_chips(contracts: Contracts) -> Floats:
    """Chips in the last period of each line that ends within the horizon, else 0 [l]."""
    horizon = contracts.chips.shape[1]
    end = contracts.leave_until[contracts.line_contract]
    last = np.clip(end - 1, 0, horizon - 1)
    inside = (end > 0) & (end < horizon)
    chips: Floats = contracts.chips[np.arange(len(end)), last]
    return np.where(inside, chips, 0.0)


def _starts_in(case: Case, option: ContractOption, line: Contract, end: int) -> list[bool]:
    calendar = case.calendar
    soonest = case.settings.as_of + timedelta(days=notice_days(option))
    if option.kind == "renewal":
        return [0 < t == end and day >= soonest for t, day in enumerate(calendar.starts[:-1])]
    first = max(soonest, line.start, option.window_from or line.start)
    last = option.window_to or line.end
    return [first <= day <= last and day < line.end for day in calendar.starts[:-1]]


def renewable_of(options: Options, contracts: Contracts, pools: int) -> Floats:
    """Most chips that renewals can keep in each pool [p, t].

    sum_{l in p} min(chips at the end of l, sum_{o renews l, running in t} lot_chips * most_lots)
    """
    horizon = contracts.chips.shape[1]
    by_line = np.zeros_like(contracts.chips)
    for o in np.flatnonzero(options.renewal & options.starts_in.any(axis=1)).tolist():
        start = int(np.argmax(options.starts_in[o]))
        running = slice(start, min(horizon, start + int(options.term_periods[o])))
        by_line[options.line[o], running] += options.lot_chips[o] * options.most_lots[o]
    by_line = np.minimum(by_line, options.ending_chips[:, None])
    out = np.zeros((pools, horizon))
    np.add.at(out, contracts.line_pool, by_line)
    return out
