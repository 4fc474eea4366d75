"""The infrastructure half of the report: sites, use, N-1, qualification."""

from __future__ import annotations

import numpy as np
import pandas as pd

from planner import views
from planner.plan import Plan
from planner.report.tables import Column, Table, chips_column, table


def sites(plan: Plan) -> Table:
    """Chips and MW by site and day."""
    frame = views.sites(plan)
    columns = (
        Column("date", "in service from"), Column("cloud", "cloud"), Column("region", "region"),
        Column("chip", "chip"), chips_column("change_chips", frame, "change, ", "+"),
        chips_column("chips_then", frame, "then, "),
        Column("change_mw", "change, MW", "+,.1f"), Column("mw_then", "then, MW", ",.1f"),
    )  # fmt: skip
    return table("Chips and MW by site and day, contracts", frame, columns)


def use(plan: Plan) -> Table:
    """Serve, train, idle by cloud and chip."""
    frame = views.use(plan)
    columns = (
        Column("cloud", "cloud"), Column("chip", "chip"), Column("period", "period"),
        chips_column("serve_chips", frame, "serve, "),
        chips_column("train_chips", frame, "train, "),
        chips_column("idle_chips", frame, "idle, "), Column("idle_share", "idle share", ".1%"),
    )  # fmt: skip
    return table("Serving, training, idle: means of the week, working chips", frame, columns)


def contingencies(plan: Plan) -> Table:
    """The N-1 table."""
    frame = views.contingencies(plan)
    words = np.where(frame.promised_share > 0, "kept", "none promised")
    frame = frame.assign(verdict=np.where(views.falls_short(frame), "less than promised", words))
    columns = (
        Column("contingency", "contingency"), Column("class", "class"),
        Column("promised_share", "promised", ".1%"),
        Column("least_share_served", "least served in any slice", ".1%"),
        Column("bound_to_lost_share", "bound to what is lost, at most", ".1%"),
        Column("verdict", ""),
    )  # fmt: skip
    return table("N-1: share served of the demand that what is left can serve", frame, columns)


def qualification(plan: Plan) -> Table:
    """The qualification calendar: work that the plan begins, and what is done."""
    names = ["chip", "generation", "purpose", "begins", "usable_from", "cost_usd", "engineers"]
    frame = plan.tables.get("qualification", pd.DataFrame({name: [] for name in names}))
    done = pd.DataFrame(
        [(q.chip, q.generation, q.purpose, "done", "", 0.0, 0.0)
         for q in plan.case.qualification if q.done],
        columns=names,
    )  # fmt: skip
    frame = done if frame.empty else frame if done.empty else pd.concat([frame, done])
    columns = (
        Column("begins", "begins"), Column("usable_from", "usable from"), Column("chip", "chip"),
        Column("generation", "generation"), Column("purpose", "for"),
        Column("engineers", "engineers", ",.0f"),
        Column("cost_usd", "million USD", ",.2f", 1e6),
    )  # fmt: skip
    return table("Qualification calendar", frame, columns, summed=("cost_usd",))


def training(plan: Plan) -> Table:
    """Runs: placed where, and what is missed."""
    columns = (
        Column("run", "run"), Column("kind", "kind"), Column("placement", "placement"),
        Column("missed_share", "not trained", ".1%"),
        Column("missed_value_usd", "its value, million USD", ",.1f", 1e6),
    )  # fmt: skip
    return table("Training", plan.tables["training_runs"], columns)


def unserved(plan: Plan) -> Table:
    """Share of demand that is not carried, by class."""
    parts = plan.summary["unserved"].items()
    frame = pd.DataFrame(
        [(name, part["share"], part["requests"]) for name, part in parts],
        columns=["class", "share", "requests"],
    )
    columns = (
        Column("class", "class"), Column("share", "not served", ".2%"),
        Column("requests", "million requests", ",.1f", 1e6),
    )  # fmt: skip
    return table("Demand that is not served", frame, columns)
