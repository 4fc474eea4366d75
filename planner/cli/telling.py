"""Progress of solves on a terminal: one solve, or one problem after another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.live import Live
from rich.text import Text

from planner.cli.app import err
from planner.decisions.problem import Tell, silent
from planner.readable import money_unit
from planner.solve.options import Event, Progress


@contextmanager
def telling() -> Iterator[Tell]:
    """A line that says what is being solved; on a terminal it is rewritten, elsewhere silent."""
    if not err.is_terminal:
        yield silent
        return
    with Live(Text("building the model"), console=err, transient=True) as live:

        def show(what: str, event: Event | None) -> None:
            parts = [what]
            if event is not None:
                parts.append(f"{event.seconds:.0f} s {event.phase}")
                if event.gap is not None:
                    parts.append(f"gap {event.gap:.3%}")
            live.update(Text("  ".join(parts)))

        yield show


@contextmanager
def progress_line() -> Iterator[Progress]:
    """A line that follows the solve; on a terminal it is rewritten, elsewhere silent."""
    if not err.is_terminal:
        yield lambda _event: None
        return
    with Live(Text("building the model"), console=err, transient=True) as live:

        def show(event: Event) -> None:
            parts = [f"{event.seconds:6.1f} s  {event.phase:<10}"]
            known = [x for x in (event.objective_usd, event.bound_usd) if x is not None]
            unit = money_unit(max(map(abs, known), default=0.0))
            if event.objective_usd is not None:
                parts.append(f"best {unit.number(event.objective_usd, 4)}")
            if event.bound_usd is not None:
                parts.append(f"bound {unit.number(event.bound_usd, 4)}")
            if known:
                parts.append(unit.name)
            if event.gap is not None:
                parts.append(f"gap {event.gap:.4%}")
            live.update(Text("  ".join(parts)))

        yield show
