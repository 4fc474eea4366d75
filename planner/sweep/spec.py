"""Scenario specifications: which factors move, over what, and how scenarios are drawn.

A specification is a TOML file or the same as a mapping:

    scenarios = 100000
    design = "latin-hypercube"      # or sobol, random, grid, list
    seed = 1

    [[factor]]
    name = "europe"
    kind = "demand"                 # see KINDS
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
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from planner.errors import Fault, InputError

MOST_SCENARIOS = 100_000_000
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
    """Normal, cut at `low` and `high`."""

    kind: Literal["normal"]
    """Names the distribution."""
    mean: float
    """Mean before the cut."""
    sd: Positive
    """Standard deviation before the cut."""
    low: float = -1e9
    """Least draw."""
    high: float = 1e9
    """Largest draw."""


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

KINDS: Mapping[str, tuple[str, ...]] = {
    "demand": ("workload", "model", "geography", "class", "channel", "period"),
    "demand_growth": ("workload", "model", "geography", "class", "channel"),
    "capacity": ("cloud", "region", "chip", "vendor", "period"),
    "lost": ("period",),
    "slip_days": ("cloud", "region", "chip", "vendor"),
    "deal": ("deal",),
    "price": ("offer", "cloud", "region", "chip", "vendor", "period"),
    "efficiency": ("model", "chip", "vendor"),
    "rate_band": ("model", "chip", "vendor"),
}
"""Kind of factor -> what its `where` may name.

demand: factor on requests. demand_growth: requests grow by this more a year from as_of on.
capacity: factor on working chips and pay as you go. lost: the cloud, region, chip or vendor whose
name is the value has no chips at all ('' = none). slip_days: new lots and pay as you go start
this many days after the chip's ready-for-service date. deal: 1 signed, 0 not. price: factor on
what is not signed yet. efficiency: serving rates grow by this more a year from as_of on.
rate_band: -1 low end, 0 mid, 1 high end of the rates.
"""


class Factor(_Strict):
    """One thing that moves."""

    name: Annotated[str, Field(min_length=1, pattern=r"^[A-Za-z0-9_.\- ]+$")]
    """Column in the results."""
    kind: Literal[
        "demand", "demand_growth", "capacity", "lost", "slip_days", "deal", "price", "efficiency",
        "rate_band",
    ]  # fmt: skip
    """What its value does; see KINDS."""
    where: Mapping[str, str | tuple[str, ...]] = {}
    """What it moves: column -> value or values; empty = everything."""
    draw: Draw | None = None
    """Distribution; needed unless the design is a grid or a list."""
    values: tuple[float | str, ...] = ()
    """Values of a grid or a choice. Of `lost`: names, '' for none."""

    @model_validator(mode="after")
    def _whole(self) -> Factor:
        for key in self.where:
            if key not in KINDS[self.kind]:
                allowed = ", ".join(KINDS[self.kind])
                raise ValueError(f"where: '{key}' is not of {self.kind}; it takes {allowed}")
        words = [v for v in self.values if isinstance(v, str)]
        if self.kind == "lost":
            if len(words) != len(self.values) or not self.values:
                raise ValueError("values: lost takes names, '' for none")
        elif words:
            raise ValueError(f"values: '{words[0]}' is not a number")
        if isinstance(self.draw, Choice) and len(self.draw.weights) != len(self.values):
            raise ValueError(f"draw: {len(self.draw.weights)} weights, {len(self.values)} values")
        if isinstance(self.draw, Choice) and sum(self.draw.weights) <= 0:
            raise ValueError("draw: the weights add up to 0")
        if self.kind == "lost" and self.draw is not None and not isinstance(self.draw, Choice):
            raise ValueError("draw: lost is a choice")
        if isinstance(self.draw, Uniform | Triangular) and self.draw.low >= self.draw.high:
            raise ValueError(f"draw: low {self.draw.low} is not below high {self.draw.high}")
        if isinstance(self.draw, Triangular) and not (
            self.draw.low <= self.draw.mode <= self.draw.high
        ):
            raise ValueError("draw: the mode is not between low and high")
        return self

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

    scenarios: Annotated[int, Field(ge=1, le=MOST_SCENARIOS)] = 1000
    """Number drawn; a grid or a list has its own."""
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
        if not names:
            raise ValueError("factor: there is none")
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ValueError(f"factor: '{twice[0]}' stands twice")
        for link in self.correlation:
            unknown = [n for n in link.factors if n not in names]
            if unknown:
                raise ValueError(f"correlation: there is no factor '{unknown[0]}'")
        for f in self.factor:
            if self.design == "grid" and not f.values:
                raise ValueError(f"factor '{f.name}': a grid needs values")
            if self.design not in ("grid", "list") and f.draw is None:
                raise ValueError(f"factor '{f.name}': {self.design} needs draw")
        if self.design == "list" and not self.rows:
            raise ValueError("list: it has no rows")
        return self

    @property
    def count(self) -> int:
        """Number of scenarios."""
        if self.design == "list":
            return len(self.rows)
        if self.design != "grid":
            return self.scenarios
        out = 1
        for f in self.factor:
            out *= len(f.values)
        return out


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
    if listed is not None:
        values["design"] = "list"
        values["rows"] = _rows(path.parent / str(listed), values.get("factor", []))
    return spec_of(values, path.name)


def _rows(path: Path, factors: Any) -> list[list[float]]:
    """Rows of a list in the order of the factors."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise InputError([Fault(path.name, f"cannot be read: {error}")]) from error
    factors = [f for f in factors if isinstance(f, dict)] if isinstance(factors, list) else []
    names = [str(f.get("name")) for f in factors]
    faults = [Fault(path.name, "is no factor", 1, c) for c in table.columns if c not in names]
    faults += [Fault(path.name, "the column is missing", 1, n) for n in names if n not in table]
    out = [[0.0] * len(names) for _ in range(len(table))]
    for i, (name, factor) in enumerate(zip(names, factors, strict=True)):
        labels = [str(v) for v in factor.get("values", [])]
        for line, text in enumerate(table[name].tolist() if name in table else []):
            try:
                lost = factor.get("kind") == "lost"
                value = float(labels.index(text)) if lost else float(text)
            except ValueError:
                value = float("nan")
            if not abs(value) < float("inf"):
                faults.append(Fault(path.name, f"'{text}' is not a value of it", line + 2, name))
            out[line][i] = value
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
        message = str(fault["msg"]).removeprefix("Value error, ")
        out.append(Fault(file, message, None, ": ".join(words) or None))
    return out
