"""Progress of commands that solve one problem after another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.live import Live
from rich.text import Text

from planner.cli.app import err
from planner.decisions.problem import Tell, silent
from planner.solve.options import Event


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
