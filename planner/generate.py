"""Cases of any size with the statistics of the reference case, drawn with a seed.

Pools and workloads are drawn from those of the reference case, each once before any comes twice;
a copy gets its own region (or name) and, by log-normal factors, its own supply, demand, token
lengths, prices and round trips. Demand and training are then scaled so that load over supply is
that of the reference case. Chips, models, classes, offers and calendar are the reference case's
own. Rules are left out: limits in USD or MW do not scale by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import sqrt
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from planner.case import Case, load_case
from planner.case.commercial import Contract, Offer
from planner.case.records import NetworkPath, Pool, Region, Supply
from planner.case.workloads import Demand, Serving, TrainingRun
from planner.errors import Fault, InputError
from planner.example_cases import example_folder
from planner.instance import Instance, build_instance
from planner.instance.reach import serve_triples

Held = TypeVar("Held", Supply, Contract)

Floats = npt.NDArray[np.float64]
FEWEST = 1_000
"""Fewest columns: below, nothing is left of the statistics."""
SUPPLY, DEMAND, TOKENS, PRICE, TRIP = 0.2, 0.3, 0.15, 0.03, 0.1
"""Standard deviations of the factors' logarithms."""


@dataclass(frozen=True)
class Draw:
    """Which rows of the reference case come, how often, and with which factors."""

    pools: tuple[tuple[int, int], ...]
    """(pool of the reference case, copy) of each pool."""
    workloads: tuple[tuple[int, int], ...]
    """(workload of the reference case, copy) of each workload."""
    supply: Floats
    """Factor on the chips of each pool."""
    demand: Floats
    """Factor on the demand of each workload, the scale to the fleet included."""
    tokens: Floats
    """Factor on the token lengths of each workload."""
    training: float
    """Training compute of the drawn pools over that of the reference case's."""


def generated_case(columns: int, seed: int, like: Case | None = None) -> Case:
    """A case of about `columns` columns, nearly all of them serving flows.

    `like` is the case whose statistics it has; the reference case unless given. Equal arguments
    give equal cases. Raises InputError when columns are too few.
    """
    if columns < FEWEST:
        raise InputError([Fault("--columns", f"{columns} is below {FEWEST}")])
    base = like if like is not None else load_case(example_folder("claude"))
    rng = np.random.default_rng(seed)
    draw = _draw(build_instance(base), columns, rng)
    return _assembled(base, draw, f"generated-{columns}-{seed}", rng)


def _draw(inst: Instance, columns: int, rng: np.random.Generator) -> Draw:
    """Draw pools by the square root of the size, then workloads until the columns are there."""
    serving, pools = inst.serving, inst.pools
    flows = serve_triples(inst)
    count = flows.sum(axis=2) * len(inst.time.slices)
    scale = sqrt(columns / count.sum())
    drawn = _passes(len(pools.names), rng)
    chosen = tuple(next(drawn) for _ in range(max(2, round(scale * len(pools.names)))))
    per_workload = count[:, [p for p, _ in chosen]].sum(axis=1)
    if not per_workload.any():
        raise InputError([Fault("--columns", "so few pools serve nothing; ask for more")])
    workloads: list[tuple[int, int]] = []
    have = 0
    for w, copy in _passes(len(serving.names), rng):
        if have >= columns:
            break
        if per_workload[w]:
            workloads.append((w, copy))
            have += int(per_workload[w])
    supply = rng.lognormal(0.0, SUPPLY, len(chosen))
    demand = rng.lognormal(0.0, DEMAND, len(workloads))
    at_p = [p for p, _ in chosen]
    at_w = [w for w, _ in workloads]
    chips = pools.supply.sum(axis=1) * pools.usable
    worth, eflop = chips * pools.reference_chips, chips * pools.training_eflop_per_s
    load = serving.reference_load.sum(axis=(1, 2))
    fleet = float(worth[at_p] @ supply / worth.sum())
    return Draw(
        pools=chosen,
        workloads=tuple(workloads),
        supply=supply,
        demand=demand * fleet * load.sum() / float(load[at_w] @ demand),
        tokens=rng.lognormal(0.0, TOKENS, len(workloads)),
        training=float(eflop[at_p] @ supply / eflop.sum()),
    )


def _passes(count: int, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    """(position, copy): every position once in a random order, then all again, without end."""
    copy = 0
    while True:
        yield from ((int(i), copy) for i in rng.permutation(count))
        copy += 1


def _named(name: str, copy: int) -> str:
    """Name of a copy: the first keeps the name of the reference case."""
    return name if not copy or not name else f"{name}+{copy + 1}"


def _assembled(base: Case, draw: Draw, name: str, rng: np.random.Generator) -> Case:
    pools = _pools(base, draw)
    regions = _regions(base, draw, rng)
    offers = tuple(
        o.model_copy(update={"deal": ""}) for o in base.offers if any(_fits(o, p) for p in pools)
    )
    used = {w for w, _ in draw.workloads}
    users = {base.serving[w].geography for w in used}
    return replace(
        Case(**{f: getattr(base, f) for f in _KEPT}),
        settings=base.settings.model_copy(
            update={
                "name": name,
                "description": f"Drawn from the statistics of the case {base.settings.name}.",
                "qualification_engineers": None,
            }
        ),
        pools=pools,
        regions=regions,
        supply=_supply(base, draw),
        network=_network(base, regions, users, rng),
        offers=offers,
        contracts=_contracts(base, draw),
        serving=tuple(_workloads(base, draw)),
        demand=tuple(_demand(base, draw)),
        training=tuple(_training(base, draw)),
    )


_KEPT = (
    "settings", "chips", "architectures", "geographies", "regions", "pools", "supply", "network",
    "offers", "contracts", "models", "classes", "serving", "demand", "profile", "training",
    "throughput", "efficiency",
)  # fmt: skip
"""Tables that a generated case has; measured rates hold for lengths that are not drawn again."""


def _fits(offer: Offer, pool: Pool) -> bool:
    return (
        offer.cloud in ("*", pool.cloud)
        and offer.region in ("*", pool.region)
        and offer.chip in ("*", pool.chip)
    )


def _pools(base: Case, draw: Draw) -> tuple[Pool, ...]:
    return tuple(
        base.pools[p].model_copy(update={"region": _named(base.pools[p].region, copy)})
        for p, copy in draw.pools
    )


def _sites(base: Case, draw: Draw) -> dict[tuple[str, str, int], None]:
    """(cloud, region, copy) of the drawn pools, in order, each once."""
    return dict.fromkeys((base.pools[p].cloud, base.pools[p].region, n) for p, n in draw.pools)


def _regions(base: Case, draw: Draw, rng: np.random.Generator) -> tuple[Region, ...]:
    known = {(r.cloud, r.region): r for r in base.regions}
    out = []
    for cloud, region, copy in _sites(base, draw):
        row = known[cloud, region]
        factor = float(rng.lognormal(0.0, PRICE)) if copy else 1.0
        out.append(
            row.model_copy(
                update={
                    "region": _named(region, copy),
                    "campus": _named(row.campus, copy),
                    "price_multiplier": round(row.price_multiplier * factor, 4),
                }
            )
        )
    return tuple(out)


def _network(
    base: Case, regions: tuple[Region, ...], users: set[str], rng: np.random.Generator
) -> tuple[NetworkPath, ...]:
    """Round trips from the drawn users to the drawn regions; a copy's are a little off."""
    out: list[NetworkPath] = []
    for row in base.network:
        if row.geography not in users | {"*"}:
            continue
        for region in regions:
            original, _, copy = region.region.partition("+")
            if (row.cloud, row.region) != (region.cloud, original):
                continue
            factor = float(rng.lognormal(0.0, TRIP)) if copy else 1.0
            change = {"region": region.region, "rtt_ms": round(row.rtt_ms * factor, 1)}
            out.append(row.model_copy(update=change))
    wild = [r for r in base.network if "*" in (r.cloud, r.region)]
    return (*out, *(r for r in wild if r.geography in users | {"*"}))


def _by_pool(rows: Iterable[Held]) -> dict[tuple[str, str, str], list[Held]]:
    """Rows of each pool, in their order."""
    out: dict[tuple[str, str, str], list[Held]] = {}
    for row in rows:
        out.setdefault((row.cloud, row.region, row.chip), []).append(row)
    return out


def _supply(base: Case, draw: Draw) -> tuple[Supply, ...]:
    rows = _by_pool(base.supply)
    out: list[Supply] = []
    for (p, copy), factor in zip(draw.pools, draw.supply.tolist(), strict=True):
        pool = base.pools[p]
        out.extend(
            row.model_copy(
                update={
                    "region": _named(row.region, copy),
                    "chips": float(round(row.chips * factor)),
                }
            )
            for row in rows[pool.cloud, pool.region, pool.chip]
        )
    return tuple(out)


def _contracts(base: Case, draw: Draw) -> tuple[Contract, ...]:
    lines = _by_pool(base.contracts)
    out: list[Contract] = []
    for (p, copy), factor in zip(draw.pools, draw.supply.tolist(), strict=True):
        pool = base.pools[p]
        out.extend(
            line.model_copy(
                update={
                    "contract": _named(line.contract, copy),
                    "region": _named(line.region, copy),
                    "chips": float(max(1, round(line.chips * factor))),
                }
            )
            for line in lines.get((pool.cloud, pool.region, pool.chip), ())
        )
    return tuple(out)


def _workloads(base: Case, draw: Draw) -> Iterator[Serving]:
    """Workloads; a copy's token lengths are its own, its cached share that of the original."""
    here = {base.pools[p].cloud for p, _ in draw.pools}
    for (w, copy), factor in zip(draw.workloads, draw.tokens.tolist(), strict=True):
        row = base.serving[w]
        lengths = {
            name: float(max(1, round(getattr(row, name) * (factor if copy else 1.0))))
            for name in ("input_tokens", "output_tokens")
        }
        cached = row.cached_tokens * lengths["input_tokens"] / row.input_tokens
        clouds = tuple(c for c in row.allowed_clouds if c == "*" or c in here)
        yield row.model_copy(
            update={
                **lengths,
                "workload": _named(row.workload, copy),
                "cached_tokens": float(min(round(cached), lengths["input_tokens"] - 1)),
                "allowed_clouds": clouds,
            }
        )


def _demand(base: Case, draw: Draw) -> Iterator[Demand]:
    rows: dict[str, list[Demand]] = {}
    for row in base.demand:
        rows.setdefault(row.workload, []).append(row)
    for (w, copy), factor in zip(draw.workloads, draw.demand.tolist(), strict=True):
        name = base.serving[w].workload
        for row in rows.get(name, ()):
            rate = float(f"{row.requests_per_s * factor:.6g}")
            yield row.model_copy(update={"workload": _named(name, copy), "requests_per_s": rate})


def _training(base: Case, draw: Draw) -> Iterator[TrainingRun]:
    """Runs as often as there are fleets of the reference case's size, at least once, in scale."""
    copies = max(1, round(draw.training))
    factor = draw.training / copies
    amounts = ("training_flop", "held_eflop_per_s", "max_chips", "value_usd")
    for copy in range(copies):
        for row in base.training:
            scaled = {
                name: float(f"{getattr(row, name) * factor:.6g}")
                for name in amounts
                if getattr(row, name) is not None
            }
            yield row.model_copy(update={"run": _named(row.run, copy), **scaled})
