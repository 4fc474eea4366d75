"""A case from an instance in Mélange's format: the cheapest mix of GPU types for one model.

Mélange (arXiv 2404.14527) knows GPU types with a price and, for each bucket of input and output
length, the request rate that one GPU sustains within the latency target. The case has one month,
one flat slice, one cloud a GPU type with one pool, one offer of GPUs for the month, one
workload a bucket, and every rate given. Demand and lots are THOUSAND-fold, so that the smallest
bucket is more than dust: cost / (744 hours x 1,000) is the instance's USD/h, at most that of
Mélange's own model, for routing is continuous here and in slices there.
"""

from __future__ import annotations

import json
import math
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from planner.case import Case
from planner.case.commercial import Offer
from planner.case.records import (
    Chip,
    Geography,
    Name,
    NetworkPath,
    NonNegative,
    Pool,
    Positive,
    Region,
    Share,
    Supply,
)
from planner.case.settings import Settings, TimeSlice
from planner.case.workloads import (
    Demand,
    MeasuredRate,
    ProfilePoint,
    ServedModel,
    ServiceClass,
    Serving,
)
from planner.errors import Fault, InputError
from planner.throughput import measured_chips, open_architectures

MISSES = 1e-6
"""A throughput of at most this says that the bucket misses the target or does not fit."""
INPUT_TOKENS = (25.0, 100.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0)
OUTPUT_TOKENS = (25.0, 100.0, 250.0, 500.0, 1000.0, 2000.0)
"""Lengths that stand for the usual 8 by 6 buckets; files hold none. Only reports and the price
of shedding use them, for the rates are measured."""
SHEDDING = 1e5
"""Shedding a request costs this many times serving it on the dearest bucket's cheapest GPU: a
plan may leave out a hundred-thousandth of one GPU's work to save the GPU, no more."""
THOUSAND = 1000.0
"""GPUs in a lot, and the factor on demand."""
HOURS = 744.0
"""Hours of the month."""
MODEL, STAND_IN_MODEL, STAND_IN_CHIP = "model", "Llama-3.1-8B", "H100"
CLASS, PLACE, OFFER = "within-target", "world", "by-the-month"
START, PERIOD = date(2027, 1, 1), "2027-01"
_STAND_IN = f"the instance has no such figures: those of {STAND_IN_CHIP} stand in"


class GpuType(BaseModel):
    """A GPU type of an instance."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    cost: Positive
    """Price of one GPU, USD an hour."""
    tputs: tuple[tuple[NonNegative, ...], ...]
    """Requests a second that one GPU sustains [input bucket][output bucket]."""


class Instance(BaseModel):
    """An instance in Mélange's format."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    gpu_info: Annotated[dict[Name, GpuType], Field(min_length=1)]
    """GPU types by name."""
    workload_distribution: Annotated[tuple[tuple[Share, ...], ...], Field(min_length=1)]
    """Share of the requests in each bucket [input bucket][output bucket]."""
    total_request_rate: Positive
    """Requests a second over all buckets."""
    slice_factor: Positive | None = None
    """How finely Mélange cuts a bucket; nothing here is cut."""

    def served(self) -> list[tuple[int, int, float]]:
        """(input bucket, output bucket, requests a second) of every bucket with requests."""
        return [
            (i, j, share * self.total_request_rate)
            for i, row in enumerate(self.workload_distribution)
            for j, share in enumerate(row)
            if share > 0
        ]


def usd_per_hour(cost_usd: float) -> float:
    """The instance's USD/h of a plan's cost."""
    return cost_usd / (HOURS * THOUSAND)


def read_instance(file: str | Path) -> Instance:
    """Read an instance; InputError names every fault with the key it is in."""
    path = Path(file)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError([Fault(str(path), f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise InputError([Fault(str(path), "is not UTF-8 text")]) from error
    except json.JSONDecodeError as error:
        fault = Fault(str(path), f"is not JSON: {error.msg}", error.lineno)
        raise InputError([fault]) from error
    try:
        instance = Instance.model_validate(content)
    except ValidationError as error:
        raise InputError(
            [
                Fault(str(path), item["msg"], None, ".".join(map(str, item["loc"])) or None)
                for item in error.errors()
            ]
        ) from error
    faults = [Fault(str(path), rule, None, key) for key, rule in _rules(instance)]
    if faults:
        raise InputError(faults)
    return instance


def _rules(instance: Instance) -> list[tuple[str, str]]:
    """(key, broken rule) between the parts of an instance."""
    shares = instance.workload_distribution
    columns = len(shares[0])
    if not columns or any(len(row) != columns for row in shares):
        return [("workload_distribution", "rows differ in length or are empty")]
    out = []
    total = sum(map(sum, shares))
    if abs(total - 1.0) > 1e-3:
        out.append(("workload_distribution", f"shares add up to {total:g}, not to 1"))
    for name, gpu in instance.gpu_info.items():
        if [len(row) for row in gpu.tputs] != [columns] * len(shares):
            rule = f"is not {len(shares)} by {columns} as the workload distribution is"
            out.append((f"gpu_info.{name}.tputs", rule))
    if not out:
        for i, j, _ in instance.served():
            if not _fitting(instance, i, j):
                rule = f"bucket {i}, {j} has requests, but no GPU type serves it"
                out.append(("workload_distribution", rule))
    return out


def _fitting(instance: Instance, i: int, j: int) -> dict[str, float]:
    """GPU types that serve a bucket within the target -> requests a second of one GPU."""
    return {n: g.tputs[i][j] for n, g in instance.gpu_info.items() if g.tputs[i][j] > MISSES}


def melange_case(
    file: str | Path,
    input_tokens: tuple[float, ...] = INPUT_TOKENS,
    output_tokens: tuple[float, ...] = OUTPUT_TOKENS,
) -> Case:
    """The case of an instance; tokens stand for its buckets' lengths.

    Raises InputError when the file has faults or the lengths are not one for each bucket.
    """
    instance = read_instance(file)
    shape = (len(instance.workload_distribution), len(instance.workload_distribution[0]))
    faults = [
        Fault(f"--{name}-tokens", f"{len(tokens)} lengths for {count} {name} buckets")
        for name, tokens, count in zip(
            ("input", "output"), (input_tokens, output_tokens), shape, strict=True
        )
        if len(tokens) != count
    ]
    if faults:
        raise InputError(faults)
    return _case(instance, Path(file), input_tokens, output_tokens)


def _case(
    instance: Instance, path: Path, inputs: tuple[float, ...], outputs: tuple[float, ...]
) -> Case:
    name = (re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).lstrip("._-") or "melange")[:80]
    noted: dict[str, Any] = {"source": f"Mélange instance {path.name}", "basis": "derived"}
    buckets = instance.served()
    shapes: dict[tuple[int, int], dict[str, Any]] = {
        (i, j): {"input_tokens": inputs[i], "cached_tokens": 0.0, "output_tokens": outputs[j]}
        for i, j, _ in buckets
    }
    chips = [_chip(gpu) for gpu in instance.gpu_info]
    sizes = _most(instance)
    service: dict[str, Any] = {"class": CLASS}
    every: dict[str, Any] = {"class": "*"}
    return Case(
        settings=Settings(
            name=name,
            description=f"Mélange instance {path.name} a thousand times: USD/h = cost / 744,000.",
            start=START, as_of=START, period="month", periods=1, discount_rate_per_year=0.0,
            reference_chip=chips[0].chip, slices=(TimeSlice(name="week", days="all"),),
        ),
        chips=tuple(chips),
        architectures=(open_architectures()[STAND_IN_MODEL],),
        geographies=(Geography(geography=PLACE, utc_offset_hours=0, **noted),),
        # A cloud for each GPU type, so that `allowed_clouds` says who serves a bucket in time.
        regions=tuple(Region(cloud=g, region=PLACE, geography=PLACE, **noted) for g in sizes),
        pools=tuple(
            Pool(cloud=g, region=PLACE, chip=g, usable_share=1.0, **noted) for g in sizes
        ),
        supply=tuple(
            Supply(cloud=g, region=PLACE, chip=g, period="*", chips=most, **noted)
            for g, most in sizes.items()
        ),
        network=(NetworkPath(geography="*", cloud="*", region="*", rtt_ms=0.0, **noted),),
        offers=tuple(
            Offer(
                offer=OFFER, cloud=g, region=PLACE, chip=g, kind="reserved", lot_chips=THOUSAND,
                term_months=1, price_usd_per_chip_hour=instance.gpu_info[g].cost, **noted,
            )
            for g in sizes
        ),
        contracts=(),
        models=(
            ServedModel(model=MODEL, generation="1", architecture=STAND_IN_MODEL, proxy=True,
                        precision="bf16", basis="assumption"),
        ),
        classes=(
            ServiceClass(**service, deferrable=False, headroom=1.0, **noted,
                         penalty_usd_per_million_tokens=_penalty(instance, inputs, outputs)),
        ),
        serving=tuple(
            Serving(**service, workload=_bucket(i, j), model=MODEL, geography=PLACE,
                    channel="direct", allowed_clouds=tuple(_fitting(instance, i, j)),
                    **shapes[i, j], **noted)
            for i, j, _ in buckets
        ),
        demand=tuple(
            Demand(workload=_bucket(i, j), period=PERIOD, requests_per_s=THOUSAND * rate, **noted)
            for i, j, rate in buckets
        ),
        profile=tuple(
            ProfilePoint(**every, geography="*", hour_of_week=h, factor=1.0, **noted)
            for h in range(168)
        ),
        training=(),
        throughput=tuple(
            MeasuredRate(**service, model=MODEL, chip=gpu, **shapes[i, j], max_rtt_ms=0.0,
                         requests_per_s_per_chip=rate, low=rate, high=rate,
                         **noted)
            for i, j, _ in buckets
            for gpu, rate in _fitting(instance, i, j).items()
        ),
        efficiency=(),
    )  # fmt: skip


def _bucket(i: int, j: int) -> str:
    return f"in-{i}/out-{j}"


def _chip(gpu: str) -> Chip:
    """Figures of a chip by its name; the rates do not rest on them, only reports do."""
    known = {name.lower(): chip for name, chip in measured_chips().items()}
    found = known.get(re.split(r"[_ -]", gpu.lower())[0])
    if found is not None:
        return found.model_copy(update={"chip": gpu})
    other = {"chip": gpu, "basis": "assumption", "source": _STAND_IN}
    return known[STAND_IN_CHIP.lower()].model_copy(update=other)


def _most(instance: Instance) -> dict[str, float]:
    """GPU type -> chips that carry all it can serve, in whole lots: no optimum has more."""
    return {
        name: THOUSAND
        * math.ceil(
            sum(
                rate / gpu.tputs[i][j]
                for i, j, rate in instance.served()
                if gpu.tputs[i][j] > MISSES
            )
        )
        for name, gpu in instance.gpu_info.items()
    }


def _penalty(instance: Instance, inputs: tuple[float, ...], outputs: tuple[float, ...]) -> float:
    """Price of shedding, USD per million tokens: SHEDDING times the dearest serving."""
    dearest = max(
        min(instance.gpu_info[g].cost / rate for g, rate in _fitting(instance, i, j).items())
        / (3600.0 * (inputs[i] + outputs[j]))
        for i, j, _ in instance.served()
    )
    return SHEDDING * 1e6 * dearest
