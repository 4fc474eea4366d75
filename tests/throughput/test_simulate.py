"""The rate that the grid allows keeps its targets in a simulation of the replica."""

from __future__ import annotations

import numpy as np
import pytest

from planner.throughput import Options, Shape, best_rates, load_factors
from planner.throughput.grid import MODES
from planner.throughput.inputs import PRECISIONS, measured_chips, open_architectures
from planner.throughput.simulate import Replica, Traffic, simulate
from planner.throughput.training import mfu

FACTORS = load_factors()
SAMPLE = [
    ("MiniMax-M2.5", "H200", 4000.0, 1600.0, 350.0, 800.0, 30.0),
    ("DeepSeek-V3", "B200", 8000.0, 3200.0, 500.0, 2000.0, 35.0),
    ("Llama-3.1-70B", "H100", 3000.0, 1000.0, 300.0, 1500.0, 40.0),
    ("gpt-oss-120b", "B200", 6000.0, 2400.0, 400.0, 800.0, 25.0),
]


@pytest.mark.parametrize("case", SAMPLE, ids=lambda c: f"{c[0]}-{c[1]}")
@pytest.mark.parametrize("trip", [20.0, 150.0])
def test_allowed_rate_keeps_percentiles(
    case: tuple[str, str, float, float, float, float, float], trip: float
) -> None:
    model, chip, inputs, cached, outputs, ttft, tpot = case
    a, c = open_architectures()[model], measured_chips()[chip]
    shape = Shape(*(np.array([x]) for x in (inputs, cached, outputs, ttft, tpot, 0.95)))
    options = Options(disaggregation=False)
    table = best_rates(
        [a],
        [c],
        np.zeros(1, dtype=np.int64),
        shape,
        np.array([[trip]]),
        factors=FACTORS,
        options=options,
    )
    at = (0, 0, 0)
    assert table.requests_per_s_per_chip[at] > 0
    assert MODES[table.mode[at]] == "aggregated"
    n = int(table.chips_per_replica[at])
    replica = Replica(a, c, PRECISIONS[table.precision[at]], n, int(table.batch[at]))
    rate = float(table.requests_per_s_per_chip[at]) * n
    traffic = Traffic(rate, inputs, cached, outputs, trip)
    kept = simulate(replica, traffic, FACTORS, requests=2500, seed=7)
    assert np.quantile(kept.ttft_ms, 0.95) <= ttft
    assert np.median(kept.tpot_ms) <= tpot * 1.02
    assert kept.busy_batch <= 1.2 * replica.batch
    # The check can fail: three times the rate breaks a target.
    broken = simulate(
        replica, Traffic(3 * rate, inputs, cached, outputs, trip), FACTORS, requests=2500, seed=7
    )
    late = np.quantile(broken.ttft_ms, 0.95) > ttft
    assert late or np.median(broken.tpot_ms) > tpot


def test_simulation_is_seeded_and_checks_its_input() -> None:
    a, c = open_architectures()["Qwen3-8B"], measured_chips()["H100"]
    replica, traffic = Replica(a, c, "fp8", 1, 16), Traffic(2.0, 1000.0, 0.0, 100.0)
    first = simulate(replica, traffic, FACTORS, requests=200, seed=1)
    again = simulate(replica, traffic, FACTORS, requests=200, seed=1)
    other = simulate(replica, traffic, FACTORS, requests=200, seed=2)
    assert np.array_equal(first.ttft_ms, again.ttft_ms)
    assert not np.array_equal(first.ttft_ms, other.ttft_ms)
    with pytest.raises(ValueError, match="positive"):
        simulate(replica, Traffic(0.0, 1000.0, 0.0, 100.0), FACTORS)
    with pytest.raises(ValueError, match="batch"):
        simulate(Replica(a, c, "fp8", 1, 0), traffic, FACTORS)


def test_mfu_by_provenance() -> None:
    chips = measured_chips()
    h100, h200, mi300 = mfu(chips["H100"]), mfu(chips["H200"]), mfu(chips["MI300X"])
    assert h100 is not None
    assert h200 is not None
    assert mi300 is not None
    assert mfu(chips["Inferentia2"]) is None
    found = [m.provenance for m in (h100, h200, mi300)]
    assert found == ["measured", "modelled", "extrapolated"]
    for value in (h100, h200, mi300):
        assert 0 < value.low < value.mid < value.high < 1
        assert not value.includes_goodput
        assert value.source
    assert mi300.high / mi300.low > h200.high / h200.low
    own = mfu(chips["H200"].model_copy(update={"chip": "tpu-v5p", "family": "tpu"}))
    assert own is not None
    assert own.mid > h100.mid
