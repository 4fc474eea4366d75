"""Views of work: who is served where, what trains where, contracts over time, rates by chip."""

from __future__ import annotations

import numpy as np
import pandas as pd

from planner.case.calendar import add_months
from planner.plan import Plan
from planner.throughput.table import throughput_table
from planner.views.known import known


def flows(plan: Plan) -> pd.DataFrame:
    """Served work by user geography, cloud and chip over the horizon.

    Columns geography, cloud, vendor, chip, reference_chip_hours, share.
    """
    k = known(plan)
    inst, sv = k.inst, k.inst.serving
    w, p, t, s = k.values.serve.at
    worth = sv.rate[w, p, t] / sv.reference_rate[w]
    frame = pd.DataFrame(
        {
            "geography": np.array(sv.geography)[w],
            "cloud": np.array(inst.pools.cloud)[p],
            "vendor": np.array(inst.pools.vendor)[p],
            "chip": np.array(inst.pools.chip)[p],
            "reference_chip_hours": k.values.serve.chips * worth * inst.time.slot_hours[t, s],
        }
    )
    keys = ["geography", "cloud", "vendor", "chip"]
    out = pd.DataFrame(frame.groupby(keys, as_index=False).sum())
    out["share"] = out.reference_chip_hours / out.reference_chip_hours.sum()
    return out.sort_values(keys, ignore_index=True)


def training_places(plan: Plan) -> pd.DataFrame:
    """Runs by period and place: columns run, kind, cloud, region, chip, vendor, period, chips.

    chips: working chips, mean of the week.
    """
    k = known(plan)
    week = dict(zip(k.inst.time.slices, k.inst.time.slice_hours / 168.0, strict=True))
    table = plan.tables["training"]
    if table.empty:
        names = ["run", "kind", "cloud", "region", "chip", "vendor", "period", "chips"]
        return pd.DataFrame({name: [] for name in names})
    frame = table.assign(chips=table.chips * table["slice"].map(week).astype(float))
    keys = ["run", "cloud", "region", "chip", "period"]
    out = frame.groupby(keys, sort=False, as_index=False)[["chips"]].sum()
    vendor = {chip.chip: chip.vendor for chip in plan.case.chips}
    kind = {run.run: run.kind for run in plan.case.training}
    out.insert(1, "kind", out.run.map(kind))
    out.insert(5, "vendor", out.chip.map(vendor))
    return out


def contract_lines(plan: Plan) -> pd.DataFrame:
    """Contracts as spans: what is signed, what the plan signs, and commitment windows.

    Columns kind (existing, new, option, commitment), name, cloud, vendor, chip, start, end, chips,
    can_be_left_from, left_from; days as text, '' where there is none. Lines of one contract and
    chip, and lots of one offer, cloud, chip and start, are one span; an existing contract that is
    left ends on that day and keeps its own end in `term_end`.
    """
    case, calendar = plan.case, plan.case.calendar
    vendor = {chip.chip: chip.vendor for chip in case.chips}
    rows: list[tuple[object, ...]] = []
    decided = plan.tables["contracts_existing"]
    left = dict(zip(decided.contract, decided.left_from, strict=True))
    spans: dict[tuple[str, str, str], float] = {}
    terms = {line.contract: line for line in case.contracts}
    for line in case.contracts:
        key = (line.contract, line.cloud, line.chip)
        spans[key] = spans.get(key, 0.0) + line.chips
    for (name, cloud, chip), chips in spans.items():
        term = terms[name]
        out = calendar.starts[calendar.index(str(left[name]))] if left[name] else None
        free = ""
        if not term.take_or_pay:
            notice = case.settings.as_of.toordinal() + (term.notice_days or 0)
            days = [day for day in calendar.starts if day.toordinal() >= notice]
            free = days[0].isoformat() if days and days[0] < term.end else ""
        rows.append(
            ("existing", name, cloud, vendor[chip], chip, term.start.isoformat(),
             (out or term.end).isoformat(), term.end.isoformat(), chips, free,
             out.isoformat() if out else "")
        )  # fmt: skip
    signed = plan.tables["contracts_signed"]
    signed = signed[~signed.offer.isin({row.option for row in case.options})]
    keys = ["offer", "cloud", "chip", "start", "end"]
    grouped = (
        signed.assign(end=signed.end.astype(str)).groupby(keys, as_index=False)[["chips"]].sum()
    )
    for lot in grouped.sort_values(["start", "cloud", "chip"]).to_dict("records"):
        start = calendar.starts[calendar.index(str(lot["start"]))].isoformat()
        rows.append(("new", lot["offer"], lot["cloud"], vendor[lot["chip"]], lot["chip"], start,
                     lot["end"], lot["end"], lot["chips"], "", ""))  # fmt: skip
    rows.extend(_options(plan, vendor))
    for window in case.commitments:
        first = calendar.starts[calendar.index(window.period_from)]
        last = add_months(calendar.starts[calendar.index(window.period_to)], calendar.months)
        rows.append(("commitment", window.commitment, window.cloud, "", "", first.isoformat(),
                     last.isoformat(), last.isoformat(), 0.0, "", ""))  # fmt: skip
    names = ["kind", "name", "cloud", "vendor", "chip", "start", "end", "term_end", "chips",
             "can_be_left_from", "left_from"]  # fmt: skip
    return pd.DataFrame(rows, columns=names)


def _options(plan: Plan, vendor: dict[str, str]) -> list[tuple[object, ...]]:
    """Spans of the options that the plan exercises, as rows of `contract_lines`."""
    table, calendar = plan.tables.get("options"), plan.case.calendar
    if table is None:
        return []
    months = {row.option: row.term_months for row in plan.case.options}
    taken = table[table.decision == "exercised"]
    keys = ["option", "cloud", "chip", "start"]
    rows: list[tuple[object, ...]] = []
    for row in taken.groupby(keys, as_index=False)[["chips"]].sum().to_dict("records"):
        start = calendar.starts[calendar.index(str(row["start"]))]
        end = add_months(start, months[str(row["option"])]).isoformat()
        rows.append(("option", row["option"], row["cloud"], vendor[row["chip"]], row["chip"],
                     start.isoformat(), end, end, row["chips"], "", ""))  # fmt: skip
    return rows


def rates(plan: Plan) -> pd.DataFrame:
    """Best rate and cost of each model and class on each chip of a pool, that keep the targets.

    Columns model, class, chip, vendor, output_tokens_per_s_per_chip with low and high,
    usd_per_million_tokens (input and output, cheapest offer, full load) with low and high,
    provenance. Of several token shapes of one model and class the first of the case.
    """
    table = throughput_table(plan.case)
    vendor = {chip.chip: chip.vendor for chip in plan.case.chips}
    mine = table[table.chip.isin({pool.chip for pool in plan.case.pools})]
    mine = mine[mine.requests_per_s_per_chip > 0].drop_duplicates(["model", "class", "chip"])
    low = mine.low / mine.requests_per_s_per_chip
    high = mine.high / mine.requests_per_s_per_chip
    tokens, usd = mine.output_tokens_per_s_per_chip, mine.usd_per_million_tokens
    out = mine[["model", "class", "chip", "provenance"]].assign(
        vendor=mine.chip.map(vendor),
        output_tokens_per_s_per_chip=tokens,
        output_tokens_per_s_low=tokens * low,
        output_tokens_per_s_high=tokens * high,
        usd_per_million_tokens=usd,
        usd_per_million_tokens_low=usd / high,
        usd_per_million_tokens_high=usd / low,
    )
    return out.reset_index(drop=True)
