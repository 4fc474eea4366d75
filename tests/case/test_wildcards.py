"""The most specific row wins; file order never matters."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.case import load_case, most_specific
from planner.case.records import NetworkPath
from planner.instance.procurement import offers_of
from planner.throughput.rates import round_trips

KEYS = ("geography", "cloud", "region")
TARGET = ("europe", "alder", "us-1")
SMALL = Path(__file__).parents[2] / "data" / "small"


def path(geography: str, cloud: str, region: str, rtt_ms: float = 1.0) -> NetworkPath:
    return NetworkPath(geography=geography, cloud=cloud, region=region, rtt_ms=rtt_ms)


def named(keys: Sequence[str]) -> int:
    return sum(key != "*" for key in keys)


LADDER = [
    path("*", "*", "*", 0),
    path("europe", "*", "*", 1),
    path("europe", "alder", "*", 2),
    path("europe", "alder", "us-1", 3),
]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_row_with_most_names_wins_in_any_order(order: tuple[int, ...]) -> None:
    rows = [LADDER[i] for i in order]
    for most in range(4):
        known = [row for row in rows if row.rtt_ms <= most]
        found = most_specific(known, KEYS, TARGET)
        assert found is not None
        assert found.rtt_ms == most


def test_a_row_that_names_something_else_never_fits() -> None:
    rows = [path("europe", "alder", "us-3"), path("asia", "*", "*"), path("*", "birch", "*")]
    assert most_specific(rows, KEYS, TARGET) is None
    assert most_specific([], KEYS, TARGET) is None


def test_a_name_beats_a_wildcard_only_where_it_fits() -> None:
    rows = [path("*", "*", "*", 9), path("europe", "alder", "us-3", 1)]
    assert most_specific(rows, KEYS, TARGET) is rows[0]


def test_a_star_is_not_a_pattern() -> None:
    """`eu*` would be a label like any other; only `*` alone is a wildcard."""
    rows = [path("*", "*", "*", 9)]
    assert most_specific(rows, KEYS, ("*", "*", "*")) is rows[0]
    assert most_specific([path("europe", "*", "*")], KEYS, ("europe-2", "x", "y")) is None


@given(
    st.lists(
        st.tuples(*(st.sampled_from(("*", name, "other")) for name in TARGET)),
        max_size=12,
        unique=True,
    ),
)
def test_no_row_that_fits_names_more(rows: list[tuple[str, str, str]]) -> None:
    found = most_specific([path(*row) for row in rows], KEYS, TARGET)
    fits = [r for r in rows if all(a in ("*", b) for a, b in zip(r, TARGET, strict=True))]
    if not fits:
        assert found is None
    else:
        assert found is not None
        keys = (found.geography, found.cloud, found.region)
        assert keys in fits
        assert named(keys) == max(named(row) for row in fits)


def test_round_trips_of_the_small_case() -> None:
    case = load_case(SMALL)
    trips = round_trips(case)
    at = {(p.cloud, p.region, p.chip): i for i, p in enumerate(case.pools)}
    user = {w.workload: i for i, w in enumerate(case.serving)}
    america = user["basic/north-america/interactive/first-party"]
    europe = user["basic/europe/interactive/first-party"]
    assert trips[america, at["alder", "us-1", "h200"]] == 45  # north-america,*,*
    assert trips[america, at["cedar", "us-2", "gb200"]] == 35  # north-america,*,us-2
    assert trips[america, at["alder", "eu-1", "h200"]] == 115  # north-america,alder,eu-1
    assert trips[europe, at["alder", "us-1", "h200"]] == 125  # europe,*,*
    assert trips[europe, at["birch", "eu-2", "tpu-v6e"]] == 30  # europe,birch,eu-2


def test_offers_of_the_small_case() -> None:
    """For each name the most specific row: eu-1 has its own one-year price."""
    case = load_case(SMALL)
    offers = offers_of(case)
    found = {
        (f"{pool.cloud}/{pool.region}/{pool.chip}", offer.offer): offer
        for p, pool in enumerate(case.pools)
        for offer in offers[p]
    }
    assert found["alder/us-1/h200", "reserved-1y"].price_usd_per_chip_hour == 2.7
    assert found["alder/eu-1/h200", "reserved-1y"].price_usd_per_chip_hour == 2.6
    assert ("cedar/us-2/gb200", "reserved-1y") not in found
    assert {name for pool, name in found if pool == "birch/eu-2/tpu-v6e"} == {
        "reserved-1y",
        "on-demand",
        "spot",
    }
    assert len(found) == sum(len(rows) for rows in offers.values())
