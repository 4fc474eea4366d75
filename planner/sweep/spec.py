"""Scenario specifications: which factors move, over what, and how scenarios are drawn.

A specification is a TOML file or the same as a mapping:

    scenarios = 100000
    design = "latin-hypercube"      # or sobol, random, grid, list
    seed = 1

    [[factor]]
    name = "europe"
    kind = "demand"                 # see planner.sweep.kinds
    where = {geography = "europe"}  # empty = everything
    draw = {kind = "lognormal", sigma = 0.1}

    [[correlation]]
    factors = ["europe", "growth"]
    rho = 0.5

A grid takes every combination of the factors' `values`; a list takes its rows from the CSV file
`list`, one column a factor.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from math import inf, prod
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from planner.errors import Fault, InputError
from planner.sweep.kinds import Kind, kind_of
from planner.sweep.rows import read_rows

MOST_SCENARIOS = 100_000_000
DRAWN = 1000
"""Scenarios drawn where a specification does not say how many."""
Positive = Annotated[float, Field(gt=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )


class Lognormal(_Strict):
    """exp(normal(log median, sigma))."""

    kind: Literal["lognormal"]
    """Names the distribution."""
    median: Positive = 1.0
    """Half of the draws are below."""
    sigma: Annotated[float, Field(gt=0, le=3)]
    """Standard deviation of the logarithm."""


class Normal(_Strict):
    """Normal, cut at `low` and `high`; without them, at the ends of its kind, if it has any."""

    kind: Literal["normal"]
    """Names the distribution."""
    mean: float
    """Mean before the cut."""
    sd: Positive
    """Standard deviation before the cut."""
    low: float | None = None
    """Least draw; None = the least value of the factor's kind."""
    high: float | None = None
    """Largest draw; None = the largest value of the factor's kind."""


class Uniform(_Strict):
    """Uniform in [low, high]."""

    kind: Literal["uniform"]
    """Names the distribution."""
    low: float
    """Least draw."""
    high: float
    """Largest draw."""


class Triangular(_Strict):
    """Triangular in [low, high] with its peak at `mode`."""

    kind: Literal["triangular"]
    """Names the distribution."""
    low: float
    """Least draw."""
    mode: float
    """Most likely draw."""
    high: float
    """Largest draw."""


class Choice(_Strict):
    """One of the factor's `values`, with these weights."""

    kind: Literal["choice"]
    """Names the distribution."""
    weights: Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=1)]
    """Of each value, in their order; they need not add up to 1."""


Draw = Annotated[Lognormal | Normal | Uniform | Triangular | Choice, Field(discriminator="kind")]


RESULTS = frozenset({
    "scenario", "usd", "row", "column", "contract_usd", "worst_period", "binding_chip",
    "certificate_bound_usd", "chips_signed", "status",
})  # fmt: skip
"""Names of columns that factors may not have."""
RESULT_PARTS = ("cost_", "lower_usd ", "unserved_")
"""How such columns may begin."""


class Factor(_Strict):
    """One thing that moves."""

    name: Annotated[str, Field(min_length=1, pattern=r"^[A-Za-z0-9_.\- ]+$")]
    """Column in the results."""
    kind: Literal[
        "demand", "demand_growth", "capacity", "lost", "slip_days", "deal", "price", "efficiency",
        "rate_band",
    ]  # fmt: skip
    """What its value does; see `planner.sweep.kinds`."""
    where: Mapping[str, str | tuple[str, ...]] = {}
    """What it moves: column -> value or values; empty = everything."""
    draw: Draw | None = None
    """Distribution; needed unless the design is a grid or a list."""
    values: tuple[float | str, ...] = ()
    """Values of a grid or a choice. Of `lost`: names, '' for none."""

    @model_validator(mode="after")
    def _whole(self) -> Factor:
        faults = [
            f"where: '{key}' is not of {self.kind}; it takes {', '.join(self.range.where)}"
            for key in self.where
            if key not in self.range.where
        ]
        _tell(faults + self._name_faults() + self._value_faults() + self._draw_faults())
        return self

    @property
    def range(self) -> Kind:
        """What its values may be."""
        return kind_of(self.kind, len(self.values))

    @property
    def ends(self) -> tuple[float, float]:
        """Where draws of a normal are cut; infinite = nowhere."""
        assert isinstance(self.draw, Normal)
        low, high = self.draw.low, self.draw.high
        return self.range.low if low is None else low, self.range.high if high is None else high

    def _name_faults(self) -> list[str]:
        """What is wrong with the name: it is a column beside those of the results."""
        taken = self.name in RESULTS or self.name.startswith(RESULT_PARTS)
        return [f"name: '{self.name}' is a column of the results"] if taken else []

    def _value_faults(self) -> list[str]:
        """What is wrong with `values`."""
        words = [v for v in self.values if isinstance(v, str)]
        if self.kind == "lost":
            right = self.values and len(words) == len(self.values)
            return [] if right else ["values: lost takes names, '' for none"]
        if words:
            return [f"values: '{word}' is not a number" for word in words]
        told = (self.range.fault(float(v)) for v in self.values)
        return [f"values: {fault}" for fault in told if fault]

    def _draw_faults(self) -> list[str]:
        """What is wrong with `draw`."""
        draw, kind = self.draw, self.range
        if draw is None:
            return []
        if isinstance(draw, Choice):
            out = []
            if len(draw.weights) != len(self.values):
                out.append(f"draw: {len(draw.weights)} weights, {len(self.values)} values")
            if sum(draw.weights) <= 0:
                out.append("draw: the weights add up to 0")
            return out
        if kind.whole:
            return [f"draw: {self.kind} takes draws of kind choice only"]
        said = ((n, getattr(draw, n, 0.0)) for n in ("median", "mean", "sd"))
        far = [f"draw: {n}: {v:g} is beyond {kind.most:g}" for n, v in said if abs(v) > kind.most]
        if far:
            return far
        if isinstance(draw, Lognormal):
            least = f"draw: a lognormal has no largest value; {self.kind} ends at {kind.high:g}"
            return [least] if kind.high < inf else []
        low, high = self.ends if isinstance(draw, Normal) else (draw.low, draw.high)
        named = (("low", draw.low), ("high", draw.high))
        out = [
            f"draw: {name}: {fault}"
            for name, end in named
            if end is not None and (fault := kind.fault(end))
        ]
        if low >= high and not out:
            out.append(f"draw: low {low:g} is not below high {high:g}")
        if isinstance(draw, Triangular) and not low <= draw.mode <= high:
            out.append(f"draw: the mode {draw.mode:g} is not between low {low:g} and high {high:g}")
        return out

    def numbers(self) -> tuple[float, ...]:
        """Values as numbers: of `lost`, their positions."""
        if self.kind == "lost":
            return tuple(float(i) for i in range(len(self.values)))
        return tuple(float(v) for v in self.values)


class Correlation(_Strict):
    """Factors that move together: normal scores with this correlation, pair by pair."""

    factors: Annotated[tuple[str, ...], Field(min_length=2)]
    """Names of two factors or more."""
    rho: Annotated[float, Field(gt=-1, lt=1)]
    """Correlation of the normal scores of each pair."""


class Spec(_Strict):
    """A whole specification."""

    scenarios: Annotated[int, Field(ge=1, le=MOST_SCENARIOS)] | None = None
    """Number drawn, None = 1000; a grid or a list has its own."""
    design: Literal["latin-hypercube", "sobol", "random", "grid", "list"] = "latin-hypercube"
    """How scenarios are made."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Equal seeds draw equal scenarios."""
    periods: Literal["open", "all"] = "open"
    """Periods that factors move: those not over at as_of, or all."""
    untouched: Literal["fault", "ignore"] = "fault"
    """A factor that touches nothing in the plan is a fault; ignored, plans that differ in what it
    moves can be compared under one specification."""
    factor: tuple[Factor, ...]
    """What moves."""
    correlation: tuple[Correlation, ...] = ()
    """Factors that move together."""
    rows: tuple[tuple[float, ...], ...] = ()
    """Rows of a list, factor by factor."""

    @model_validator(mode="after")
    def _whole(self) -> Spec:
        names = [f.name for f in self.factor]
        drawn = self.drawn
        faults = [] if names else ["factor: there is none"]
        faults += [f"factor: '{n}' stands twice" for n in sorted({*names}) if names.count(n) > 1]
        if not drawn and self.scenarios is not None:
            faults.append(f"scenarios: a {self.design} has its own number")
        if not drawn and self.correlation:
            faults.append(f"correlation: nothing is drawn in a {self.design}")
        for link in self.correlation:
            unknown = [n for n in link.factors if n not in names]
            faults += [f"correlation: there is no factor '{n}'" for n in unknown]
        for f in self.factor:
            if self.design == "grid" and not f.values:
                faults.append(f"factor '{f.name}': a grid needs values")
            if drawn and f.draw is None:
                faults.append(f"factor '{f.name}': {self.design} needs draw")
        if self.design == "list" and not self.rows:
            faults.append("list: it has no rows")
        if self.design != "list" and self.rows:
            faults.append(f"rows: a {self.design} takes none")
        if self.design != "list" and self.count > MOST_SCENARIOS:
            faults.append(f"{self.count:,} scenarios are more than {MOST_SCENARIOS:,}")
        _tell(faults + self._row_faults())
        return self

    def _row_faults(self) -> list[str]:
        """What is wrong with the rows of a list, counted from 1."""
        out = []
        for i, row in enumerate(self.rows, 1):
            if len(row) != len(self.factor):
                out.append(f"rows: {i}: {len(row)} values for {len(self.factor)} factors")
                continue
            told = zip(
                self.factor,
                (f.range.fault(v) for f, v in zip(self.factor, row, strict=True)),
                strict=True,
            )
            out += [f"rows: {i}: factor '{f.name}': {fault}" for f, fault in told if fault]
        return out

    @property
    def drawn(self) -> bool:
        """Whether scenarios are a sample; a grid or a list is all there is."""
        return self.design not in ("grid", "list")

    @property
    def count(self) -> int:
        """Number of scenarios."""
        if self.design == "list":
            return len(self.rows)
        if self.design == "grid":
            return prod(len(f.values) for f in self.factor)
        return DRAWN if self.scenarios is None else self.scenarios


Given = Spec | Mapping[str, Any] | str | Path
"""What a sweep takes for a specification: one, the same as a mapping, or a TOML file."""


def _tell(faults: list[str]) -> None:
    """Raise every fault at once; `_faults` takes them apart again."""
    if faults:
        raise ValueError("\n".join(faults))


def as_spec(given: Given) -> Spec:
    """A specification as it is, from a mapping, or from a TOML file. Raises InputError."""
    if isinstance(given, Spec):
        return given
    return spec_of(given) if isinstance(given, Mapping) else load_spec(given)


def spec_of(values: Mapping[str, Any], file: str = "spec") -> Spec:
    """A specification from a mapping. Raises InputError with every fault."""
    try:
        return Spec.model_validate(dict(values))
    except ValidationError as error:
        raise InputError(_faults(error, values, file)) from error


def load_spec(path: str | Path) -> Spec:
    """Read a TOML specification, with the CSV file that its `list` names.

    Raises InputError with every fault that was found.
    """
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError([Fault(path.name, f"cannot be read: {error.strerror}")]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError([Fault(path.name, f"is not TOML: {error}")]) from error
    listed = values.pop("list", None)
    if listed is None:
        return spec_of(values, path.name)
    factors = values.get("factor", [])
    factors = factors if isinstance(factors, list) else []
    rows, faults = read_rows(path.parent / str(listed), factors)
    if values.get("design", "list") != "list":
        faults.append(Fault(path.name, "a list has no other design", None, "design"))
    # Rows at fault are told with their line; zeros, in range everywhere, let the rest be checked.
    rows = [[0.0] * len(factors)] if faults else rows
    try:
        out = spec_of({**values, "design": "list", "rows": rows}, path.name)
    except InputError as error:
        faults = [*faults, *error.faults]
    if faults:
        raise InputError(faults)
    return out


def _faults(error: ValidationError, values: Mapping[str, Any], file: str) -> list[Fault]:
    """Pydantic's faults, factors by name."""
    out = []
    for fault in error.errors():
        place = list(fault["loc"])
        words = []
        if place[:1] == ["factor"] and len(place) > 1:
            try:
                words.append(f"factor '{values['factor'][place[1]]['name']}'")
            except (KeyError, IndexError, TypeError):
                words.append(f"factor {place[1]}")
            place = place[2:]
        words += [str(part) for part in place]
        messages = str(fault["msg"]).removeprefix("Value error, ").split("\n")
        out += [Fault(file, message, None, ": ".join(words) or None) for message in messages]
    return out
