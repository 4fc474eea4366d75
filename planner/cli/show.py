"""A plan on a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from planner.plan import STATUS_WORDS, Plan
from planner.readable import Unit, chips_unit, money_unit, power_unit


def _table(title: str, *columns: str, left: int = 1) -> Table:
    view = Table(title=title, title_justify="left", title_style="bold")
    for i, name in enumerate(columns):
        view.add_column(name, justify="left" if i < left else "right")
    return view


def print_plan(plan: Plan, console: Console, folder: Path | None = None) -> None:
    """Headline, costs, what to sign, whom it fails, and where everything is."""
    s = plan.summary
    unit = money_unit(plan.objective_usd)
    console.print(
        f"[bold]{s['case']}[/bold]: {unit.say(plan.objective_usd)}, at least "
        f"{unit.number(plan.bound_usd)} (gap {plan.gap:.3%}); {STATUS_WORDS[plan.status]}"
    )
    console.print(_costs(s, unit))
    console.print(_signed(plan.tables["contracts_signed"], unit))
    _existing(plan.tables["contracts_existing"], console)
    if "options" in plan.tables:
        _options(plan.tables["options"], console)
    console.print(_periods(s["plausibility"]))
    for name, part in s["unserved"].items():
        if part["share"] > 0:
            console.print(f"not served: {part['share']:.2%} of {name} demand")
    runs = plan.tables["training_runs"]
    for row in runs[runs.missed_share > 0].itertuples():
        console.print(f"not trained: {row.missed_share:.0%} of {row.run}")
    rests = ", ".join(f"{v:.0%} {k}" for k, v in s["provenance"]["served_demand"].items())
    console.print(f"rates behind served demand: {rests}")
    seconds = s["seconds"]
    parts = ", ".join(
        f"{k} {v:.1f}" for k, v in seconds.items() if isinstance(v, float) and k != "total"
    )
    size = s["size"]
    console.print(
        f"{size['columns']:,} columns, {size['rows']:,} rows, {size['integers']:,} integers; "
        f"{seconds['total']:.1f} s ({parts}); {s['peak_memory_mb']:,.0f} MB"
    )
    if "strategy" in s:
        console.print(f"strategy: {s['strategy']['name']} ({s['strategy']['why']})")
    if "earlier_plan" in s:
        console.print(_earlier(s["earlier_plan"]))
    if folder is not None:
        console.print(f"tables: {folder / 'tables'}", soft_wrap=True)
        if (folder / "figures").is_dir():
            console.print(f"figures: {folder / 'figures'}", soft_wrap=True)


def _earlier(given: Any) -> str:
    """What an earlier plan was worth for this one, before anything was searched."""
    bound, cost = given["bound_usd"], given["plan_usd"]
    parts = [
        "proves nothing" if bound is None else f"proves {money_unit(bound).say(bound)}",
        "makes no plan" if cost is None else f"costs {money_unit(cost).say(cost)}",
    ]
    return f"the earlier plan, at this case: its proof {parts[0]}, it {parts[1]}"


def _costs(summary: Any, unit: Unit) -> Table:
    view = _table("Cost by term, present value", "term", unit.name)
    for term, usd in summary["cost_usd"].items():
        view.add_row(term.replace("_", " "), unit.number(usd))
    return view


def _signed(signed: pd.DataFrame, unit: Unit) -> Table:
    chips = chips_unit(signed.chips.sum())
    view = _table(
        "To sign, by chip and cloud", "chip", "cloud", "offer", "first start", "sign by",
        chips.name, f"{unit.name} in horizon", left=5,
    )  # fmt: skip
    grouped = signed.groupby(["chip", "cloud", "offer"], as_index=False).agg(
        start=("start", "min"),
        sign_by=("sign_by", "min"),
        chips=("chips", "sum"),
        usd=("payments_in_horizon_usd", "sum"),
    )
    for row in grouped.sort_values("usd", ascending=False).to_dict("records"):
        view.add_row(
            *(str(row[name]) for name in ("chip", "cloud", "offer", "start", "sign_by")),
            chips.number(row["chips"], 1 if chips.size > 1 else 0),
            unit.number(row["usd"]),
        )
    return view


def _existing(existing: pd.DataFrame, console: Console) -> None:
    left = existing[existing.decision == "leave"]
    for name, lines in left.groupby("contract"):
        saved = lines.payments_saved_usd.sum() - lines.exit_fee_usd.sum()
        when = lines.left_from.iloc[0]
        usd = money_unit(saved).say(saved)
        console.print(f"leave contract {name} from {when}: avoids {usd}, not discounted")


def _options(options: pd.DataFrame, console: Console) -> None:
    """One line for each option, all its lines and starts together."""
    for name, some in options.groupby("option", sort=False):
        taken = some[some.decision == "exercised"]
        kind, contract = some.kind.iloc[0], some.contract.iloc[0]
        what = f"{kind} {name} of contract {contract}"
        if len(taken):
            chips = taken.chips.sum()
            unit = chips_unit(chips)
            when = f"from {taken.start.min()}, exercise by {taken.exercise_by.min()}"
            console.print(f"{what}: {unit.say(chips, 1 if unit.size > 1 else 0)} {when}")
        else:
            deadline = some.exercise_by.max()
            when = f", open until {deadline}" if deadline else ", out of reach"
            console.print(f"{what}: not exercised{when}")


def _periods(rows: list[dict[str, Any]]) -> Table:
    loads = ("mean_load_reference_chips", "peak_load_reference_chips", "fleet_reference_chips")
    money = money_unit(max(row["spend_busd_per_year"] for row in rows) * 1e9)
    power = power_unit(max(row["power_gw"] for row in rows) * 1e3)
    chips = chips_unit(max(row[key] for row in rows for key in loads))
    view = _table(
        "By period", "period", f"{money.name} a year", power.name, "billion USD per GW-year",
        "mean load", "peak load", f"fleet ({chips.name.replace('chips', 'reference chips')})",
    )  # fmt: skip
    for row in rows:
        per_gw = row["busd_per_gw_year"]
        view.add_row(
            row["period"], money.number(row["spend_busd_per_year"] * 1e9, 1),
            power.number(row["power_gw"] * 1e3, 2), "" if per_gw is None else f"{per_gw:,.1f}",
            *(chips.number(row[key], 0) for key in loads),
        )  # fmt: skip
    return view
