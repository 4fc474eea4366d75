"""`planner value`."""

from __future__ import annotations

import math
from typing import Annotated

import typer
from rich.table import Table

from planner.case import load_case
from planner.cli.app import INFEASIBLE, LIMIT, PROVEN, app, out
from planner.cli.options import AsJson, CaseFolder, Changes, Gap, Promises, Threads, TimeLimit
from planner.cli.telling import telling
from planner.decisions.value import GAP, Value
from planner.decisions.value import value as value_of
from planner.readable import fine_money_unit, money_unit
from planner.run_folder import dump_json

CODES = {"proven": PROVEN, "needed": PROVEN, "limit": LIMIT, "impossible": INFEASIBLE}
"""Status of a value -> exit code."""
FEW = 0.01
"""Of the costs' unit: a value below it is told in a smaller one."""


@app.command("value")
def value_command(
    case: CaseFolder,
    deal: Annotated[str | None, typer.Option(help="Deal to value.")] = None,
    offer: Annotated[str | None, typer.Option(help="Offer to value, wherever it holds.")] = None,
    pool: Annotated[
        str | None, typer.Option(help="Pool to value: all offers of cloud/region/chip.")
    ] = None,
    chip: Annotated[
        str | None, typer.Option(help="Chip family to value: all offers of it.")
    ] = None,
    gap: Gap = GAP,
    time_limit: TimeLimit = None,
    threads: Threads = 1,
    changes: Changes = None,
    redundancy: Promises = "auto",
    price: Annotated[bool, typer.Option(help="Search the break-even price.")] = True,
    dates: Annotated[bool, typer.Option(help="Value every later start.")] = True,
    as_json: AsJson = False,
) -> None:
    """What a deal, offer, pool or chip family is worth, and up to which price and date it pays.

    Exit code 0: every solve reached its gap. 3: stopped at the time limit. 4: no plan can take it.

    Example: [bold]planner value data/claude --deal maia-200 --redundancy waived[/bold]
    Example: [bold]planner value data/small --offer reserved-1y --gap 0[/bold]
    """
    read = load_case(case, changes or ())
    with telling() as tell:
        found = value_of(
            read, deal=deal, offer=offer, pool=pool, chip=chip, gap=gap, time_limit_s=time_limit,
            threads=threads, redundancy=redundancy, price=price, dates=dates, tell=tell,
        )  # fmt: skip
    if as_json:
        out.print_json(dump_json(found.as_dict()))
    else:
        _print(found)
    raise typer.Exit(CODES[found.status])


def _print(v: Value) -> None:
    out.print(f"[bold]{v.subject}[/bold]: {_headline(v)}")
    out.print(_costs(v))
    if v.break_even is not None:
        _print_price(v)
    if v.starts:
        _print_starts(v)
    for sentence in v.says:
        out.print(f"- {sentence}", markup=False, highlight=False)
    out.print(f"searches: {v.solves}, to a gap of {v.gap:g}; {v.seconds:.0f} s")


def _scale(v: Value) -> tuple[float, str]:
    """USD of a unit in which the costs are read well, and its name."""
    most = max((side.cost_usd for side in (v.with_, v.without) if side is not None), default=0.0)
    return fine_money_unit(most)


def _money(usd: float | None, unit: float) -> str:
    if usd is None or not math.isfinite(usd):
        return "no end"
    return f"{usd / unit:,.3f}"


def _headline(v: Value) -> str:
    if v.status == "needed":
        return "without it there is no plan"
    if v.status == "impossible":
        return "no plan can take it"
    low, high = v.value_low_usd, v.value_high_usd
    unit, name = _scale(v)
    most = max((abs(end) for end in (low, high) if end is not None), default=0.0)
    if most < FEW * unit:
        unit, name = money_unit(most)
    words = f"worth {_money(low, unit)} to {_money(high, unit)} {name}"
    if low is not None and low > 0:
        return f"{words}: taking it pays, proven"
    if high is not None and high < 0:
        return f"{words}: taking it costs, proven"
    return f"{words}: whether taking it pays is open at this gap"


def _costs(v: Value) -> Table:
    unit, named = _scale(v)
    view = Table(title=f"Cost, present value, {named}", title_justify="left", title_style="bold")
    for name in ("term", "without it", "with it", "difference"):
        view.add_column(name, justify="left" if name == "term" else "right")
    sides = (v.without, v.with_)
    terms = dict.fromkeys(term for side in sides if side for term in side.terms_usd)
    for term in terms:
        usd = [None if side is None else side.terms_usd.get(term, 0.0) for side in sides]
        view.add_row(term.replace("_", " "), *_cells(usd, unit))
    view.add_section()
    view.add_row("plan", *_cells([None if s is None else s.cost_usd for s in sides], unit))
    view.add_row("at least", *_cells([None if s is None else s.bound_usd for s in sides], unit))
    return view


def _cells(usd: list[float | None], unit: float) -> list[str]:
    one, other = usd
    cells = ["no plan" if value is None else _money(value, unit) for value in usd]
    return [*cells, "" if one is None or other is None else _money(one - other, unit)]


def _price(factor: float | None, asked: float) -> str:
    return "-" if factor is None else f"{factor * asked:,.3f}"


def _print_price(v: Value) -> None:
    found = v.break_even
    assert found is not None
    said = [
        f"no {name} end" if end is None else f"{end:.3f} times the prices asked"
        for name, end in (("lower", found.low), ("upper", found.high))
    ]
    out.print(f"break-even price: from {said[0]} to {said[1]}")
    if v.paid_usd_per_chip_hour is not None:
        paid = v.paid_usd_per_chip_hour
        out.print(
            f"mean price of what the plan buys of it: {paid:,.3f} USD per chip-hour; "
            f"break-even {_price(found.low, paid)} to {_price(found.high, paid)}"
        )
    view = Table(title="Break-even, USD per chip-hour", title_justify="left", title_style="bold")
    for i, name in enumerate(("offer", "cloud", "chip", "asked", "low", "high")):
        view.add_column(name, justify="left" if i < 3 else "right")
    for row in v.prices:
        asked = row.asked_usd_per_chip_hour
        ends = (_price(found.low, asked), _price(found.high, asked))
        view.add_row(row.offer, row.cloud, row.chip, f"{asked:,.3f}", *ends)
    out.print(view)


def _print_starts(v: Value) -> None:
    unit, named = _scale(v)
    view = Table(title=f"By start, {named}", title_justify="left", title_style="bold")
    for i, name in enumerate(
        ("ready for service", "quarters late", "worth at least", "at most", "pays",
         "this delay costs at least", "at most")
    ):  # fmt: skip
        view.add_column(name, justify="left" if not i else "right")
    for s in v.starts:
        ends = [_money(x, unit) for x in (s.value_low_usd, s.value_high_usd)]
        later = [_money(x, unit) for x in (s.later_low_usd, s.later_high_usd)]
        view.add_row(str(s.ready), f"{s.quarters_late:g}", *ends, s.pays, *later)
    out.print(view)
    last, first = v.latest_that_pays, v.first_that_does_not
    out.print(f"latest start that is proven to pay: {last if last is not None else 'none'}")
    none = "none within the horizon" if v.looked_at_all else "none of these"
    words = first if first is not None else none
    out.print(f"earliest start that is proven not to pay: {words}")
