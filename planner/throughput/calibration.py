"""Fit of the efficiency factors, cross-validation by left-out pairs, and the stored result.

The fit is a robust, penalised least squares on the logarithm of the errors of TPOT and TTFT:

`sum_i w_i soft_l1(log(predicted_i / measured_i) / scale) + sum_k (x_k - prior_k)^2 / s_k^2`.

Effects (chip family, chip, lineage, model, precision, engine, layout) are pooled: each is drawn
to zero with its own strength, so that a pair, a model or a chip that was never measured falls
back to what is common. Gauss-Newton steps with a Marquardt term solve it; the derivatives by
the coefficients are numeric and spread to the effects by the chain rule.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares, minimize

from planner.throughput.closed_loop import TERMS, Loop, Times, levels
from planner.throughput.factors import COEFFICIENTS, Factors, lineage
from planner.throughput.inputs import FloatArray, IntArray
from planner.throughput.physics import NODE
from planner.throughput.points import Points, points_from_rows, read_rows

CALIBRATION_DATA = ("inferencex_points.csv", "neuron_inference.csv")
"""Tables that the factors are fitted to, in `data/calibration`."""
SPECIFICATIONS = ("architectures.csv", "calibration_chips.csv")
"""Packaged tables that the fit reads."""
CHIP_SPREAD = 1.0
"""Spread of the logs of chips that are fitted after the others."""


@dataclass(frozen=True)
class Settings:
    """Strengths of the fit; chosen by the errors of left-out pairs."""

    spread: Mapping[str, float] = field(
        default_factory=lambda: {
            "family": 0.06,
            "chip": 0.02,
            "lineage": 0.25,
            "model": 0.5,
            "precision": 0.25,
            "emulated": 0.07,
            "backend": 0.125,
            "layout": 1.6,
        }
    )
    """Kind of effect -> standard deviation of its logs before any measurement."""
    stiffness: Mapping[str, float] = field(
        default_factory=lambda: {
            "weights": 0.35,
            "experts": 0.35,
            "cache": 0.35,
            "compute": 0.35,
            "prefill": 0.5,
            "interference": 0.5,
            "latency": 0.35,
            "link": 0.35,
            "layer": 2.0,
            "step": 2.0,
            "sequence": 2.0,
            "first": 1.4,
        }
    )
    """Coefficient -> multiplier of every spread: how much it may differ at all."""
    trust: float = 12.0
    """Weight of the priors: points of a pair err together, so they count for fewer."""
    scale: float = 0.15
    """Log error at which the loss turns from square to linear."""
    ttft_weight: float = 0.42
    """Weight of a TTFT error beside a TPOT error."""
    balance: float = 0.8
    """Weight of a pair with m points: m to this power."""
    iterations: int = 30
    """Most steps of the solver."""


@dataclass(frozen=True)
class Fit:
    """A solved fit."""

    names: tuple[str, ...]
    """Effects, `kind:member`, in the order of the rows below."""
    base: FloatArray
    """Logs of the coefficients, (J,)."""
    effects: FloatArray
    """(levels, J)."""
    terms: FloatArray
    """Logs of `TERMS`."""

    def times(self, points: Points) -> Times:
        """Predicted times of `points`; effects that were not fitted are zero."""
        z = _design(levels(points), self.names)
        return Loop.of(points).times(self.base + z @ self.effects, self.terms)


def _design(rows: Sequence[Sequence[str]], names: Sequence[str]) -> FloatArray:
    place = {name: i for i, name in enumerate(names)}
    z = np.zeros((len(rows), len(names)))
    for i, row in enumerate(rows):
        for name in row:
            if name in place:
                z[i, place[name]] = 1.0
    return z


class _Problem:
    """Objective, gradient and Gauss-Newton matrix of a fit; the last point is kept."""

    def __init__(self, points: Points, settings: Settings, names: tuple[str, ...]) -> None:
        self.loop = Loop.of(points)
        self.names = names
        self.design = _design(levels(points), names)
        stiff = np.array([settings.stiffness[k] for k in COEFFICIENTS])
        spread = np.array([settings.spread[k.split(":")[0]] for k in names])
        tight = 1.0 / np.sqrt(settings.trust)
        self.unit = tight * np.concatenate(
            [stiff, (spread[:, None] * stiff).ravel(), np.array([s for _, s in TERMS.values()])]
        )
        self.start = np.concatenate(
            [
                np.log(list(COEFFICIENTS.values())),
                np.zeros(len(names) * len(COEFFICIENTS)),
                np.log([mean for mean, _ in TERMS.values()]),
            ]
        )
        pairs = points.pairs()
        count = Counter(pairs)
        weight = np.array([count[p] ** (settings.balance - 1.0) for p in pairs])
        weight = np.sqrt(weight / weight.mean()) / settings.scale
        has = np.isfinite(points.ttft_ms) & (points.ttft_ms > 0)
        self.target = np.log(np.concatenate([points.tpot_ms, np.where(has, points.ttft_ms, 1.0)]))
        self.weight = np.concatenate([weight, np.where(has, weight * settings.ttft_weight, 0.0)])
        self.z = np.full_like(self.unit, np.nan)
        self.gradient = self.matrix = np.empty(0)

    def split(self, z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(base, effects, terms) at the solver's vector."""
        x = self.start + self.unit * z
        j, k = len(COEFFICIENTS), len(self.names)
        return x[:j], x[j : j + j * k].reshape(k, j), x[j + j * k :]

    def residual(self, log: FloatArray, terms: FloatArray) -> FloatArray:
        """Weighted log errors, TPOT then TTFT."""
        both = np.log(np.concatenate(self.loop.times(log, terms)))
        return np.asarray((both - self.target) * self.weight)

    def value(self, z: FloatArray) -> float:
        """`sum 2 (sqrt(1 + r^2) - 1) + |z|^2`."""
        base, effects, terms = self.split(z)
        r = self.residual(base + self.design @ effects, terms)
        return float(2.0 * np.sum(np.sqrt(1.0 + r * r) - 1.0) + z @ z)

    def expand(self, z: FloatArray) -> None:
        """Gradient and Gauss-Newton matrix at z."""
        if np.array_equal(z, self.z):
            return
        base, effects, terms = self.split(z)
        log = base + self.design @ effects
        r = self.residual(log, terms)
        h = 1e-4
        eye, small = np.eye(len(COEFFICIENTS)) * h, np.eye(len(TERMS)) * h
        d = np.stack([self.residual(log + e, terms) - r for e in eye], axis=1) / h
        g = np.stack([self.residual(log, terms + e) - r for e in small], axis=1) / h
        both = np.concatenate([self.design, self.design])
        spread = (both[:, :, None] * d[:, None, :]).reshape(len(r), -1)
        jacobian = np.concatenate([d, spread, g], axis=1) * self.unit
        w = 1.0 / np.sqrt(1.0 + r * r)
        self.gradient = 2.0 * (jacobian.T @ (w * r) + z)
        self.matrix = 2.0 * (jacobian.T @ (jacobian * w[:, None]) + np.eye(len(z)))
        self.z = z.copy()

    def slope(self, z: FloatArray) -> FloatArray:
        """Gradient of `value`."""
        self.expand(z)
        return self.gradient

    def curve(self, z: FloatArray) -> FloatArray:
        """Gauss-Newton approximation of the Hessian of `value`."""
        self.expand(z)
        return self.matrix


def fit(points: Points, settings: Settings | None = None) -> Fit:
    """Fit the factors to `points`, every one with a measured TPOT; a few seconds."""
    settings = settings or Settings()
    names = tuple(sorted({x for row in levels(points) for x in row}))
    problem = _Problem(points, settings, names)
    solved = minimize(
        problem.value,
        np.zeros_like(problem.unit),
        jac=problem.slope,
        hess=problem.curve,
        method="trust-exact",
        options={
            "maxiter": settings.iterations,
            "initial_trust_radius": 10.0,
            "max_trust_radius": 100.0,
            "gtol": 1e-2,
        },
    )
    base, effects, terms = problem.split(solved.x)
    return Fit(names, base, effects, terms)


def distinct(points: Points) -> IntArray:
    """Indices of points that are not the same run listed again (equal within 0.1 ms)."""
    seen: dict[tuple[object, ...], int] = {}
    for i in range(len(points)):
        key = (
            points.chip[i],
            points.model[i],
            points.precision[i],
            points.backend[i],
            points.isl[i],
            points.osl[i],
            points.concurrency[i],
            points.size[i],
            points.workers[i],
            bool(points.separate[i]),
            round(float(points.tpot_ms[i]), 1),
        )
        seen.setdefault(key, i)
    return np.array(sorted(seen.values()), dtype=np.int64)


def leave_out(
    points: Points,
    groups: Sequence[str],
    settings: Settings | None = None,
    only: Sequence[str] | None = None,
) -> Times:
    """Times of every point predicted by a fit that saw no point of its group; NaN elsewhere.

    Every fold is fitted from the priors, so that nothing of the left-out points leaks into it.

    Args:
        points: the points.
        groups: one label each, such as the (chip, model) pair.
        settings: strengths of the fit; the defaults when None.
        only: groups to leave out; all when None.
    """
    labels = np.asarray(groups)
    unique = distinct(points)
    tpot, ttft = np.full(len(points), np.nan), np.full(len(points), np.nan)
    for group in sorted(set(labels)) if only is None else only:
        test = np.flatnonzero(labels == group)
        train = unique[labels[unique] != group]
        times = fit(points.take(train), settings).times(points.take(test))
        tpot[test], ttft[test] = times.tpot, times.ttft
    return Times(tpot, ttft)


def pair_labels(points: Points) -> list[str]:
    """`chip|architecture` of every point: the groups of the headline cross-validation."""
    return ["|".join(p) for p in points.pairs()]


def measured_points(folder: Path) -> Points:
    """The GPU points of `folder`. Raises FileNotFoundError or `points.PointError`."""
    name = CALIBRATION_DATA[0]
    return points_from_rows(read_rows(folder / name), name)


def neuron_points(folder: Path) -> Points:
    """The Trainium1 and Inferentia2 points: two cores a chip, the batch as the load in flight.

    Their TTFT belongs to a static batch and is not used. Raises as `measured_points`.
    """
    rows = [
        {
            "chip": row["chip"],
            "model": row["model"],
            "precision": row["weights"],
            "isl": row["input_len"],
            "osl": row["output_len"],
            "concurrency": row["batch"],
            "n_gpus": str(float(row["tp_cores"]) / 2),
            "tpot_ms": row["tpot_p50_ms"],
        }
        for row in read_rows(folder / CALIBRATION_DATA[1])
    ]
    return points_from_rows(rows, CALIBRATION_DATA[1])


def fit_chips(points: Points, solved: Fit, settings: Settings | None = None) -> FloatArray:
    """One effect (J,) for the chips of `points`, everything else held at `solved`.

    Chips measured on other engines must not move what the GPUs share, so they are fitted after
    them: `least_squares` on the log error of TPOT with a soft L1 loss, drawn to zero. The effect
    belongs to these chips and their engine of that time; their successors do not inherit it.
    """
    settings = settings or Settings()
    loop = Loop.of(points)
    log = solved.base + _design(levels(points), solved.names) @ solved.effects
    stiff = np.array([settings.stiffness[k] for k in COEFFICIENTS])

    def residual(z: FloatArray) -> FloatArray:
        tpot = loop.times(log + CHIP_SPREAD * stiff * z, solved.terms).tpot
        prior = z * np.sqrt(settings.trust)
        return np.asarray(np.concatenate([np.log(tpot / points.tpot_ms) / settings.scale, prior]))

    found = least_squares(residual, np.zeros(len(COEFFICIENTS)), loss="soft_l1")
    return np.asarray(CHIP_SPREAD * stiff * found.x)


def usable(points: Points) -> IntArray:
    """Indices of the points that are fitted and judged.

    Left out: aggregated runs on rack-scale chips over more than a node, whose table calls them
    disaggregated runs under a wrong label.
    """
    domain = np.array([c.scaleup_domain_chips for c in points.chips])[points.chip]
    odd = (domain > NODE) & (points.counted > NODE) & points.separate & ~points.split_known
    return np.flatnonzero(~odd)


def data_hash(folder: Path) -> str:
    """SHA-256 of the measured tables of `folder` and the packaged specifications."""
    digest = hashlib.sha256()
    for name in CALIBRATION_DATA:
        digest.update((folder / name).read_bytes().replace(b"\r\n", b"\n"))
    for name in SPECIFICATIONS:
        text = files("planner.throughput").joinpath("data").joinpath(name).read_bytes()
        digest.update(text.replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def stale(factors: Factors, folder: Path) -> bool:
    """Whether the tables or specifications differ from those that `factors` were fitted to."""
    return factors.data_sha256 != data_hash(folder)


def to_factors(
    solved: Fit, points: Points, chips: Mapping[str, FloatArray] | None = None, **more: object
) -> Factors:
    """The fit as a storable set, rounded to five decimals; `more` are further fields.

    `chips` adds effects of chips that were fitted by `fit_chips`.
    """
    names = list(COEFFICIENTS)

    def row(values: FloatArray) -> dict[str, float]:
        return {n: round(float(v), 5) for n, v in zip(names, values, strict=True)}

    pairs = {
        f"{points.chips[c].family}|{lineage(points.architectures[m])}"
        for c, m in zip(points.chip, points.model, strict=True)
    }
    effects = {k: row(v) for k, v in zip(solved.names, solved.effects, strict=True)}
    effects |= {f"chip:{k}": row(v) for k, v in (chips or {}).items()}
    return Factors(
        base=row(solved.base),
        effects=effects,
        terms={k: round(float(np.exp(v)), 5) for k, v in zip(TERMS, solved.terms, strict=True)},
        calibrated_chips=tuple(sorted({points.chips[c].chip for c in points.chip})),
        calibrated_pairs=tuple(sorted(pairs)),
        longest_input=float(points.isl.max()),
        **more,  # type: ignore[arg-type]
    )
