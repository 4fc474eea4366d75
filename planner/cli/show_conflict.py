"""An explanation of a case on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from planner.explain.report import Change, Conflict, InfeasibilityReport, Relaxation

ROWS_SHOWN = 40
"""Rows of an irreducible set that are listed; JSON has all of them."""


def print_report(report: InfeasibilityReport, console: Console) -> None:
    """Status, rules in conflict, the cheapest relaxation, what each rule takes alone, the rows."""
    say = {
        "feasible": "has a plan",
        "infeasible": "has no plan (proven)",
        "unproven": "neither a plan nor a proof that there is none was found",
    }[report.status]
    console.print(f"[bold]{report.case}[/bold]: {say}")
    if report.status == "infeasible":
        if report.whole:
            console.print(
                "Fractions of lots, placements and signatures would do; whole ones do not."
            )
        console.print(
            f"Every relaxation has a price of at least {report.price_at_least:.4g} "
            "(1 = a rule of yours moved by all of its value; what others must grant counts 3)"
        )
    if report.rules:
        console.print("Rules in conflict: " + "; ".join(report.rules), markup=False)
    if report.cheapest is not None:
        _relaxation("Cheapest relaxation", report.cheapest, console)
    if report.alone:
        console.print(_alone(report.alone))
    if report.conflict is not None:
        _conflict(report.conflict, console)
    _shortages(report, console)
    for note in report.notes:
        console.print(f"note: {note}", markup=False)
    console.print(f"{report.seconds['total']:.1f} s", highlight=False)


def value(amount: float, unit: str) -> str:
    """A value with its unit, shares as per cent, money in million USD."""
    if unit == "share":
        return f"{amount:.2%}"
    if unit == "USD":
        return f"{amount / 1e6:,.3f} million USD"
    return f"{amount:,.6g} {unit}".strip()


def _change(change: Change) -> str:
    lines = ",".join(map(str, change.rows))
    place = f"{change.file}:{lines}" if lines else change.file
    before, after = (value(x, change.unit) for x in (change.before, change.after))
    return f"{place}: {change.column}: {before} -> {after}"


def _proof(relaxation: Relaxation) -> str:
    if relaxation.verified is None:
        return "not solved again"
    if not relaxation.verified:
        return "solved again: still no plan"
    return f"solved again: a plan of {(relaxation.plan_usd or 0.0) / 1e6:,.1f} million USD"


def _relaxation(title: str, relaxation: Relaxation, console: Console) -> None:
    console.print(f"[bold]{title}[/bold] (price {relaxation.price:.4g}; {_proof(relaxation)})")
    for change in relaxation.changes:
        console.print(f"  {change.rule}: {_change(change)}", markup=False, highlight=False)
        lacks = value(change.lacks, change.unit)
        console.print(f"    lacks {lacks} in {change.worst}", markup=False, highlight=False)
    if relaxation.overrides:
        text = " ".join(f"--set {_quoted(override)}" for override in relaxation.overrides)
        console.print(f"  {text}", markup=False, highlight=False, soft_wrap=True)


def _quoted(override: str) -> str:
    return f"'{override}'" if " " in override else override


def _alone(relaxations: tuple[Relaxation, ...]) -> Table:
    view = Table(title="What one rule takes alone", title_justify="left", title_style="bold")
    for name in ("rule", "change", "price", "proof"):
        view.add_column(name, justify="right" if name == "price" else "left")
    for relaxation in relaxations:
        for change in relaxation.changes:
            view.add_row(
                change.rule, _change(change), f"{relaxation.price:.4g}", _proof(relaxation)
            )
    return view


def _conflict(conflict: Conflict, console: Console) -> None:
    kind = "whole numbers" if conflict.whole else "not even fractions"
    sure = "any one left out, the rest can" if conflict.irreducible else "perhaps not irreducible"
    view = Table(
        title=f"Rows that cannot hold together ({kind}; {sure})",
        title_justify="left",
        title_style="bold",
    )
    for name in ("file", "row", "where", "at least", "at most"):
        view.add_column(name, justify="right" if name.startswith("at") else "left")
    for row in conflict.rows[:ROWS_SHOWN]:
        sides = ("" if side is None else f"{side:,.6g}" for side in (row.lower, row.upper))
        view.add_row(row.file, row.says, row.where, *sides)
    console.print(view)
    more = len(conflict.rows) - ROWS_SHOWN
    if more > 0:
        console.print(f"and {more} more; --json lists them all")


def _shortages(report: InfeasibilityReport, console: Console) -> None:
    if report.status != "feasible":
        return
    if report.plan_usd is not None and not report.shortages:
        console.print("Nothing is short: all demand is served and every run is done.")
    for short in report.shortages:
        amount = (
            value(short.amount, "USD")
            if short.unit == "USD"
            else f"{short.amount:.2%} ({short.unit})"
        )
        console.print(f"{short.kind}: {short.name}, {amount}", markup=False, highlight=False)
    if report.lifts:
        view = Table(title="Limits to lift", title_justify="left", title_style="bold")
        for name in ("limit", "file", "lifted by", "saves, million USD (relaxation)"):
            view.add_column(name, justify="left" if name in ("limit", "file") else "right")
        for lift in report.lifts:
            view.add_row(
                lift.rule, lift.file, value(lift.step, lift.unit), f"{lift.saves_usd / 1e6:,.3f}"
            )
        console.print(view)
