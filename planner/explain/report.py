"""What an explanation says, as plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Status = Literal["feasible", "infeasible", "unproven"]
"""feasible: there is a plan; infeasible: proven that there is none; unproven: stopped before."""


@dataclass(frozen=True)
class Change:
    """One cell to change."""

    file: str
    """File of the case."""
    rows: tuple[int, ...]
    """Rows of the table, the header being line 1; none for a scalar."""
    column: str
    """Column or key."""
    rule: str
    """What it is, in the planner's words."""
    unit: str
    """Unit of the values."""
    before: float
    """Present value (supply: the most over the periods)."""
    after: float
    """Value that is enough (supply rows rise by `after - before` each)."""
    overrides: tuple[str, ...]
    """`--set` texts that do it; none where an override would change other cells as well."""
    worst: str
    """Where it lacks most: pool, period, slice; '' when unknown."""
    lacks: float
    """By how much it is exceeded there, in `unit`."""

    @property
    def relative(self) -> float:
        """Change over the present value; infinite from 0."""
        if self.before:
            return abs(self.after - self.before) / abs(self.before)
        return float("inf") if self.after else 0.0


@dataclass(frozen=True)
class Relaxation:
    """Changes that together make the case feasible."""

    changes: tuple[Change, ...]
    """Cells to change."""
    price: float
    """Sum over the changes of weight x change / scale (`planner.explain.knobs`)."""
    verified: bool | None
    """Whether a plan was found for the case with the changes; None when it was not tried."""
    plan_usd: float | None
    """Cost of that plan, present value in USD; a plan, not the cheapest."""

    @property
    def overrides(self) -> tuple[str, ...]:
        """`--set` texts of all changes; none when one of them has none."""
        if not all(change.overrides for change in self.changes):
            return ()
        return tuple(text for change in self.changes for text in change.overrides)


@dataclass(frozen=True)
class ConflictRow:
    """A row of the irreducible set."""

    constraint: str
    """Constraint of the model."""
    index: str
    """Its index, positions joined by `;`."""
    file: str
    """File that it comes from."""
    says: str
    """What it says."""
    where: str
    """Pool, period, slice and the like."""
    lower: float | None
    """Lower side; None = none."""
    upper: float | None
    """Upper side; None = none."""
    rules: tuple[str, ...]
    """Rules in it that can be relaxed."""


@dataclass(frozen=True)
class Conflict:
    """Rows that cannot hold together while any of them left out can."""

    rows: tuple[ConflictRow, ...]
    """The irreducible set."""
    whole: bool
    """Whether it needs whole numbers: fractions of lots would satisfy it."""
    irreducible: bool
    """Whether leaving out any one row was shown to leave a feasible set."""
    proven: bool
    """Whether the set itself was shown to be infeasible by a ray in own arithmetic (linear)."""


@dataclass(frozen=True)
class Shortage:
    """Something that a feasible plan does not do, or a rule that it pays to exceed."""

    kind: str
    """unserved, missed or exceeded."""
    name: str
    """Service class, run or rule."""
    amount: float
    """How much."""
    unit: str
    """Unit of the amount."""


@dataclass(frozen=True)
class Lift:
    """A limit whose lifting would make the plan cheaper."""

    file: str
    """Table that holds the limit."""
    rule: str
    """The limit, in words."""
    unit: str
    """Unit of the limit."""
    step: float
    """Units by which it was lifted."""
    saves_usd: float
    """What the relaxation costs less after that step, present value in USD."""


@dataclass(frozen=True)
class InfeasibilityReport:
    """Why a case has no plan, or where its plan is short."""

    case: str
    """Name of the case."""
    status: Status
    """Whether the case has a plan."""
    whole: bool
    """Infeasible only because lots, placements and signatures are whole."""
    price_at_least: float
    """Proven: every relaxation has at least this price; above 0 = proven infeasible."""
    rules: tuple[str, ...]
    """Rules in conflict: first those that the cheapest relaxation changes, most changed first."""
    cheapest: Relaxation | None
    """The relaxation of the least price."""
    alone: tuple[Relaxation, ...]
    """For each rule in conflict that can do it alone, the change that it takes."""
    conflict: Conflict | None
    """The irreducible set of rows."""
    shortages: tuple[Shortage, ...] = ()
    """Feasible: what the plan is short of."""
    lifts: tuple[Lift, ...] = ()
    """Feasible: limits to lift, the most saving first."""
    plan_usd: float | None = None
    """Feasible: cost of the plan found, present value in USD."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall time by phase."""
    notes: tuple[str, ...] = ()
    """What was left out for time."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; an infinite number becomes None."""
        content: dict[str, Any] = _plain(asdict(self))
        for relaxation, made in zip(
            [content["cheapest"], *content["alone"]], [self.cheapest, *self.alone], strict=True
        ):
            if made is not None:
                relaxation["overrides"] = list(made.overrides)
        return content


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return None
    return value
