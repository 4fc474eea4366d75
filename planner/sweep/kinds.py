"""Kinds of factor: what each may move, and the values that mean something for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class Kind:
    """One kind of factor."""

    where: tuple[str, ...]
    """What its `where` may name."""
    low: float = -inf
    """Least value."""
    high: float = inf
    """Largest value."""
    most: float = inf
    """Size of values beyond which one is a slip of the pen; draws without an end may exceed it."""
    whole: bool = False
    """Whether only whole numbers mean something: such a kind is chosen, never drawn."""

    def fault(self, value: float) -> str | None:
        """The rule that a value breaks; None when it is one of this kind."""
        if value != value or abs(value) == inf:
            return f"{value:g} is no finite number"
        if value < self.low:
            return f"{value:g} is below {self.low:g}"
        if value > self.high:
            return f"{value:g} is above {self.high:g}"
        if abs(value) > self.most:
            return f"{value:g} is beyond {self.most:g}"
        if self.whole and value != int(value):
            return f"{value:g} is not a whole number"
        return None


KINDS: Mapping[str, Kind] = {
    "demand": Kind(("workload", "model", "geography", "class", "channel", "period"), 0.0, most=1e4),
    "demand_growth": Kind(("workload", "model", "geography", "class", "channel"), -1.0, most=100.0),
    "capacity": Kind(("cloud", "region", "chip", "vendor", "period"), 0.0, most=1e4),
    "lost": Kind(("period",), low=0.0, whole=True),
    "slip_days": Kind(("cloud", "region", "chip", "vendor"), most=36500.0),
    "deal": Kind(("deal",), low=0.0, high=1.0, whole=True),
    "price": Kind(("offer", "cloud", "region", "chip", "vendor", "period"), 0.0, most=1e4),
    "efficiency": Kind(("model", "chip", "vendor"), -1.0, most=100.0),
    "rate_band": Kind(("model", "chip", "vendor"), low=-1.0, high=1.0),
}
"""Kind of factor -> what its `where` may name, and its range.

demand: factor on requests. demand_growth: requests grow by this more a year from as_of on.
capacity: factor on working chips and pay as you go. lost: the cloud, region, chip or vendor whose
name is the value has no chips at all ('' = none); its number is the position of the name.
slip_days: new lots and pay as you go start this many days after the chip's ready-for-service
date. deal: 1 signed, 0 not. price: factor on what is not signed yet. efficiency: serving rates
grow by this more a year from as_of on. rate_band: -1 low end, 0 mid, 1 high end of the rates.

Bounds are proven for values of these ranges only: a negative price or demand has no meaning, and
weak duality would not hold with it.
"""


def kind_of(name: str, values: int) -> Kind:
    """A kind by its name; of `lost`, with as many positions as there are values."""
    kind = KINDS[name]
    return Kind(kind.where, 0.0, values - 1.0, whole=True) if name == "lost" else kind
