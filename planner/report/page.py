"""The report: one HTML file that needs no network, for finance and infrastructure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from planner.audit.folder import audit_plan
from planner.plan import STATUS_WORDS, Plan
from planner.plot import FIGURES, available, render
from planner.readable import chips_unit, money_unit, power_unit
from planner.report import finance, infrastructure, trust
from planner.report.svg import inline
from planner.report.tables import Table

MOST_FINDINGS = 5
"""Findings of the audit that are spelled out."""


@dataclass(frozen=True)
class Section:
    """A heading with tables and figures."""

    key: str
    """Anchor."""
    title: str
    """Its heading."""
    note: str
    """How to read it."""
    tables: tuple[Table, ...]
    """Tables in it, in order."""
    figures: tuple[str, ...] = ()
    """Names of figures below them."""


def sections(plan: Plan) -> tuple[Section, ...]:
    """What the report holds, in its order: decisions, finance, infrastructure, trust."""
    soon, later = finance.decisions(plan)
    return (
        Section("decisions", "Decisions", "Signing by these dates keeps the plan: the day is the "
                "start of service less the lead. Payments are those within the horizon; "
                "what is saved is negative.", (soon, later), ("contracts",)),
        Section("cash", "Obligations and cash", "Committed payments are owed whatever is decided; "
                "cancellable ones fall under notice; optional ones are this plan's own.",
                (finance.obligations(plan), finance.costs(plan)), ("obligations", "cost")),
        Section("commitments", "Commitments, idle dollars, exits", "Work goes to contracted chips "
                "first; payments for the others count as idle. Exposure is what stopping today "
                "would still cost; for new contracts, once they are signed.",
                (finance.shortfalls(plan), finance.burn_down(plan), finance.idle(plan),
                 finance.exits(plan))),
        Section("tokens", "Cost per million tokens", "Accrued payments, spread over working chips; "
                "idle chips are borne by all work in proportion. Tokens are those computed: "
                "input that is not cached, and output. The figure shows each chip at its cheapest "
                "offer and full load, input and output together.",
                (finance.token_cost(plan),), ("token_cost",)),
        Section("sites", "Chips and MW by site", "Contracts only; the first row of a pool is what "
                "stands at the start.", (infrastructure.sites(plan),),
                ("power", "capacity", "capacity_by_cloud")),
        Section("use", "Serving, training, idle", "Means of the representative week.",
                (infrastructure.use(plan), infrastructure.unserved(plan),
                 infrastructure.training(plan)), ("flows", "training", "throughput")),
        Section("redundancy", "N-1", "The least share of demand that is still served in any "
                "period and slice, with a cold cache, without new pay as you go. Demand that "
                "nothing left can serve, such as that of a lost cloud's own channel, is in no "
                "promise and in no share served; how much of a class that is stands beside it.",
                (infrastructure.contingencies(plan),), ("contingencies",)),
        Section("qualification", "Qualification", "Work to enable a chip for a model generation.",
                (infrastructure.qualification(plan),)),
        Section("binds", "What binds", "Prices stand here when `planner prices` was run; each was "
                "checked by finite steps to both sides.",
                (trust.limits(plan), trust.supply(plan), trust.prices(plan)), ("shares",)),
        Section("trust", "Sources, assumptions, plausibility", "Rows of the case by what they "
                "rest on.", (trust.plausibility(plan), trust.assumptions(plan),
                             trust.sources(plan))),
    )  # fmt: skip


def report_html(plan: Plan) -> str:
    """The report of a plan as one HTML text; equal plans give equal texts.

    Every text of the case is escaped; a content security policy forbids the page any request. The
    audit is run and its verdict stated.
    """
    have = set(available(plan))
    parts = sections(plan)
    wanted = [name for part in parts for name in part.figures if name in have]
    images = {
        name: Markup(inline(data, name, FIGURES[name].title))  # noqa: S704  (our own SVG)
        for name, data in render(plan, "svg", wanted).items()
    }
    verdict = audit_plan(plan)
    environment = Environment(
        loader=PackageLoader("planner.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        case=plan.case.settings,
        plan=plan,
        headline=_headline(plan),
        status=STATUS_WORDS[plan.status],
        audit_passed=verdict.passed,
        audit_findings=[str(finding) for finding in verdict.findings[:MOST_FINDINGS]],
        audit_more=max(0, len(verdict.findings) - MOST_FINDINGS),
        audit_checked=verdict.checked,
        sections=parts,
        images=images,
        titles={name: figure.title for name, figure in FIGURES.items()},
        rests_on=trust.rests_on(plan),
        versions=plan.summary["versions"],
        case_sha256=plan.summary["case_sha256"],
    )


def _headline(plan: Plan) -> list[tuple[str, str]]:
    """(what, figure) for the top of the page."""
    rows: list[dict[str, Any]] = plan.summary["plausibility"]
    signed = plan.tables["contracts_signed"]
    most = max(rows, key=lambda row: float(row["power_gw"]))
    decided, usd = finance.due(plan)
    due = f"{decided} decision{'' if decided == 1 else 's'}"
    due += f", {money_unit(usd).say(usd, 1)} to pay" if usd else ", nothing to pay"
    unit, power = money_unit(plan.objective_usd), power_unit(float(most["power_gw"]) * 1e3)
    chips = chips_unit(float(signed.chips.sum()))
    return [
        ("cost, present value", unit.say(plan.objective_usd)),
        ("no plan costs less than", unit.say(plan.bound_usd)),
        ("gap", f"{plan.gap:.3%}"),
        ("due within three months", due),
        (
            "chips to sign",
            chips.say(float(signed.chips.sum()), 0).removesuffix(" chips"),
        ),
        ("most power", f"{power.say(float(most['power_gw']) * 1e3, 2)} in {most['period']}"),
    ]
