"""Values of the factors, page by page: scenario i has the same values however it is asked for.

A page is 65,536 scenarios. Latin hypercubes are stratified within a page; a Sobol sequence runs
on from page to page. Correlated factors get normal scores with the asked correlation before they
are turned into their distributions (a Gaussian copula).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from scipy import special

from planner.errors import Fault, InputError
from planner.sweep.block import Floats, Ints
from planner.sweep.spec import Choice, Factor, Lognormal, Normal, Spec, Uniform

PAGE = 65_536
_INSIDE = 1e-12


def correlation_root(spec: Spec) -> Floats | None:
    """Cholesky factor of the correlation of normal scores; None without any.

    Raises InputError when the correlations asked for cannot hold together or stand twice.
    """
    if not spec.correlation:
        return None
    at = {f.name: i for i, f in enumerate(spec.factor)}
    matrix = np.eye(len(at))
    told: dict[frozenset[str], float] = {}
    faults = []
    for link in spec.correlation:
        named = ", ".join(link.factors)
        if len(set(link.factors)) < len(link.factors):
            faults.append(Fault("spec", f"{named}: a factor stands twice", None, "correlation"))
            continue
        for a, b in combinations(link.factors, 2):
            if told.setdefault(frozenset((a, b)), link.rho) != link.rho:
                rule = f"{a} and {b} have two correlations"
                faults.append(Fault("spec", rule, None, "correlation"))
            matrix[at[a], at[b]] = matrix[at[b], at[a]] = link.rho
    if faults:
        raise InputError(faults)
    try:
        out: Floats = np.linalg.cholesky(matrix).astype(np.float64)
    except np.linalg.LinAlgError as error:
        rule = "these correlations cannot hold together"
        raise InputError([Fault("spec", rule, None, "correlation")]) from error
    return out


def pages(spec: Spec) -> int:
    """Number of pages."""
    return -(-spec.count // PAGE)


def page(spec: Spec, number: int) -> Floats:
    """Values of one page [n, factor]; of `lost`, positions of its values."""
    first = number * PAGE
    n = min(PAGE, spec.count - first)
    if spec.design == "list":
        return np.array(spec.rows[first : first + n], dtype=float)
    if spec.design == "grid":
        sizes = [len(f.values) for f in spec.factor]
        at = np.unravel_index(np.arange(first, first + n), sizes)
        columns = (np.array(f.numbers())[i] for f, i in zip(spec.factor, at, strict=True))
        return np.stack(list(columns), axis=1)
    uniform = _uniform(spec, number, first, n)
    root = correlation_root(spec)
    if root is not None:
        uniform = special.ndtr(special.ndtri(uniform) @ root.T)
    columns = (_value(f, uniform[:, i]) for i, f in enumerate(spec.factor))
    return np.stack(list(columns), axis=1)


def all_pages(spec: Spec) -> Iterator[tuple[int, Floats]]:
    """Every page with its number."""
    for number in range(pages(spec)):
        yield number, page(spec, number)


def _uniform(spec: Spec, number: int, first: int, n: int) -> Floats:
    """Points in the open unit cube [n, factor]."""
    size = len(spec.factor)
    rng = np.random.default_rng([spec.seed, number])
    if spec.design == "sobol":
        from scipy.stats import qmc  # noqa: PLC0415  (half a second)

        engine = qmc.Sobol(size, scramble=True, rng=np.random.default_rng(spec.seed))
        if first:
            engine.fast_forward(first)
        # Whole pages only: a Sobol sequence is balanced over powers of two.
        out = engine.random(PAGE)[:n]
    elif spec.design == "random":
        out = rng.random((n, size))
    else:
        strata = np.stack([rng.permutation(n) for _ in range(size)], axis=1)
        out = (strata + rng.random((n, size))) / n
    clipped: Floats = np.clip(out, _INSIDE, 1.0 - _INSIDE)
    return clipped


def _value(factor: Factor, u: Floats) -> Floats:
    """Uniform numbers turned into the factor's distribution."""
    draw = factor.draw
    assert draw is not None
    out: Floats
    if isinstance(draw, Lognormal):
        out = draw.median * np.exp(draw.sigma * special.ndtri(u))
    elif isinstance(draw, Normal):
        out = np.clip(draw.mean + draw.sd * special.ndtri(u), *factor.ends)
    elif isinstance(draw, Uniform):
        out = draw.low + (draw.high - draw.low) * u
    elif isinstance(draw, Choice):
        edges = np.cumsum(draw.weights) / sum(draw.weights)
        at = np.minimum(np.searchsorted(edges, u, side="right"), len(edges) - 1)
        out = np.array(factor.numbers())[at]
    else:
        low, mode, high = draw.low, draw.mode, draw.high
        cut = (mode - low) / (high - low)
        up = low + np.sqrt(u * (high - low) * (mode - low))
        down = high - np.sqrt((1.0 - u) * (high - low) * (high - mode))
        out = np.where(u < cut, up, down)
    return out


def values_of(spec: Spec, scenarios: Ints) -> Floats:
    """Factors of some scenarios, in their order [n, factor]; draws every page that they are on."""
    out = np.empty((len(scenarios), len(spec.factor)))
    of_page = scenarios // PAGE
    for number in np.unique(of_page).tolist():
        rows = np.flatnonzero(of_page == number)
        out[rows] = page(spec, number)[scenarios[rows] - number * PAGE]
    return out
