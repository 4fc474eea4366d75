"""The numbers of a problem as labelled arrays.

Axes are named in brackets:

t period, s slice of the week, p pool, w serving workload, l line of an existing contract,
k existing contract, j start of a term offer (offer, pool, period), v pay-as-you-go offer in a
pool, o option of a line, r training run, q placement column of a run that cannot pause.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planner.throughput.training import Mfu

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Strings = tuple[str, ...]


@dataclass(frozen=True)
class Time:
    """Periods and slices."""

    periods: Strings
    """Labels [t]."""
    slices: Strings
    """Labels [s]."""
    hours: Floats
    """Calendar hours [t]."""
    slice_hours: Floats
    """Hours of the slice in a week [s]; they sum to 168."""
    years: Floats
    """Years from the start of the case to the period's start [t]."""
    discount: Floats
    """Discount factor in the middle of the period [t]."""
    discount_start: Floats
    """Discount factor at the period's start [t]."""

    @property
    def slot_hours(self) -> Floats:
        """Calendar hours that slice s takes in period t [t, s]."""
        out: Floats = self.hours[:, None] * self.slice_hours[None, :] / 168.0
        return out


@dataclass(frozen=True)
class Pools:
    """Chips of one family in one region."""

    names: Strings
    """`cloud/region/chip` [p]."""
    cloud: Strings
    """Provider [p]."""
    region: Strings
    """Region as `cloud/region` [p]."""
    chip: Strings
    """Chip family [p]."""
    vendor: Strings
    """Vendor of the chip [p]."""
    geography: Strings
    """Where the region stands [p]."""
    usable: Floats
    """Usable share of contracted chips [p]."""
    supply: Floats
    """Chips the provider allots, 0 before ready-for-service [p, t]."""
    existing: Floats
    """Chips of contracts already signed, when all are kept [p, t]."""
    renewable: Floats
    """Most chips that renewals of such contracts can keep after their end [p, t]."""
    kw: Floats
    """All-in power per chip, kW [p]."""
    training_eflop_per_s: Floats
    """Dense BF16 peak of a chip, EFLOP/s; 0 where it cannot train [p]."""
    reference_chips: Floats
    """Serving worth of a chip in reference chips, weighted by demand [p]."""

    @property
    def allotted(self) -> Floats:
        """Chips in the pool without any renewal: what is allotted or already signed [p, t]."""
        out: Floats = np.maximum(self.supply, self.existing)
        return out

    @property
    def limit(self) -> Floats:
        """Most chips in the pool, every renewal taken: allotted, signed or renewed [p, t]."""
        out: Floats = np.maximum(self.supply, self.existing + self.renewable)
        return out


@dataclass(frozen=True)
class Serving:
    """Serving workloads: demand and rates."""

    names: Strings
    """Workload [w]."""
    model: Strings
    """Served model [w]."""
    generation: Strings
    """Model generation [w]."""
    geography: Strings
    """User geography [w]."""
    service_class: Strings
    """Service class [w]."""
    channel: Strings
    """Sales channel [w]."""
    deferrable: Bools
    """Whether only the weekly volume counts [w]."""
    mean: Floats
    """Mean requests per second in the slice [w, t, s]."""
    peak: Floats
    """Peak hour of the slice x headroom, requests per second [w, t, s]."""
    headroom: Floats
    """Headroom factor [w]."""
    penalty_usd: Floats
    """Price of a request not served, USD [w]."""
    computed_tokens: Floats
    """Input tokens that are not cached, and output tokens, a request [w]."""
    total_tokens: Floats
    """All input and output tokens a request [w]."""
    rate: Floats
    """Requests per second and chip within the latency target [w, p, t]; 0 = cannot serve."""
    rate_low: Floats
    """Low end of the band [w, p, t]."""
    rate_high: Floats
    """High end of the band [w, p, t]."""
    rate_failover: Floats
    """Rate with the prefix cache as it is after a failover [w, p, t]."""
    basis: npt.NDArray[np.str_]
    """measured, calibrated, modelled or extrapolated; '' where the rate is 0 [w, p]."""
    reason: npt.NDArray[np.str_]
    """Why the rate is 0, or what limits it [w, p]."""
    reference_rate: Floats
    """Requests per second of one reference chip, without round trip [w]."""

    @property
    def reference_chips_per_rate(self) -> Floats:
        """Reference chips for one request per second [w].

        0 where no chip at all can serve the workload: its reference rate is then next to 0.
        """
        can = self.reference_rate > 1e-100
        out: Floats = np.where(can, 1.0 / np.where(can, self.reference_rate, 1.0), 0.0)
        return out

    @property
    def reference_load(self) -> Floats:
        """Reference chips that carry the mean demand [w, t, s], at the start's efficiency."""
        out: Floats = self.mean * self.reference_chips_per_rate[:, None, None]
        return out


@dataclass(frozen=True)
class Contracts:
    """Contracts already signed."""

    names: Strings
    """Contract [k]."""
    leave_from: Ints
    """First period that notice can reach [k]; number of periods = cannot be left."""
    leave_until: Ints
    """First period after the contract [k]."""
    line_names: Strings
    """`contract: pool` [l]."""
    line_contract: Ints
    """Contract of the line [l]."""
    line_pool: Ints
    """Pool of the line [l]."""
    chips: Floats
    """Chips delivered while kept [l, t]."""
    payment_usd: Floats
    """Payment in the period while kept, USD, not discounted [l, t]."""
    exit_fee_usd: Floats
    """Fee when left early, USD [l]."""
    liability_usd: Floats
    """Payments after the horizon, discounted [l]."""
    credit_usd: Floats
    """Salvage value after the horizon, discounted [l]."""


@dataclass(frozen=True)
class Starts:
    """Every (term offer, pool, start period) in which lots may start."""

    names: Strings
    """`offer: pool @ period` [j]."""
    offer: Strings
    """Offer name [j]."""
    pool: Ints
    """Pool [j]."""
    period: Ints
    """Start period [j]."""
    lot_chips: Floats
    """Chips in a lot [j]."""
    min_lots: Ints
    """Fewest lots when any start [j]."""
    max_lots: Ints
    """Most lots [j]."""
    active: Floats
    """Share of the lot delivered in the period [j, t]."""
    term_periods: Ints
    """Length of the contract, periods [j]."""
    payment_usd: Floats
    """Payment for one lot in the period, USD, not discounted [j, t]."""
    present_usd: Floats
    """Payment for one lot in the period, discounted [j, t]."""
    accrued_usd: Floats
    """Price of the chips delivered in the period, however it is paid [j, t]."""
    liability_usd: Floats
    """Payments for one lot after the horizon, discounted [j]."""
    credit_usd: Floats
    """Salvage value of one lot after the horizon, discounted [j]."""
    price_usd_per_chip_hour: Floats
    """Price of a start in its period in this pool, known when it is signed [j]."""
    price_basis: Strings
    """Basis of the price [j]."""
    deal: Strings
    """Deal that opens the offer; '' = none is needed [j]."""
    sign_by_days: Ints
    """Lead: days before the period's start by which it must be signed [j]."""

    @property
    def inside_usd(self) -> Floats:
        """Payments for one lot within the horizon, discounted [j]."""
        out: Floats = self.present_usd.sum(axis=1)
        return out


@dataclass(frozen=True)
class Options:
    """Options in signed contracts, one for each line that a row fits."""

    names: Strings
    """`option: contract: pool` [o]."""
    option: Strings
    """Name in the case [o]."""
    line: Ints
    """Line of the contract [o]."""
    renewal: Bools
    """Keeps the line's chips past its end; otherwise adds chips while it stands [o]."""
    lot_chips: Floats
    """Chips in a lot [o]."""
    most_lots: Ints
    """Most lots in all, of a renewal no more than what is delivered at the end [o]."""
    price_usd_per_chip_hour: Floats
    """Price while it runs [o]."""
    price_basis: Strings
    """Basis of the price [o]."""
    term_periods: Ints
    """Length from the start of the lots [o]."""
    upfront_share: Floats
    """Share of the whole value that is paid at the start [o]."""
    notice_days: Ints
    """Days before the lots' start by which it must be exercised [o]."""
    starts_in: Bools
    """Periods in which its lots can start [o, t]."""
    ending_chips: Floats
    """Chips delivered in the last period of each line; 0 where it ends past the horizon [l]."""
    of_start: Ints
    """Option that a start exercises; -1 = it is one of an offer [j]."""

    @property
    def renews(self) -> Bools:
        """Starts that keep chips which stand already: they install nothing [j]."""
        chosen = np.append(self.renewal, False)
        return np.asarray(chosen[self.of_start], dtype=bool)


@dataclass(frozen=True)
class PayAsYouGo:
    """Chips billed by the hour, by slice."""

    names: Strings
    """`offer: pool` [v]."""
    offer: Strings
    """Offer name [v]."""
    pool: Ints
    """Pool [v]."""
    interruptible: Bools
    """Whether the provider may take the chips back [v]."""
    guaranteed: Bools
    """Whether the provider promises it in a contingency [v]."""
    goodput: Floats
    """Share of billed chips that do work [v]."""
    max_chips: Floats
    """Most chips [v, t]; 0 where lead or window forbid it."""
    price_usd_per_chip_hour: Floats
    """Price in the period [v, t]."""
    billed_share: Floats
    """Mean over peak demand of the slice: share of provisioned hours that is billed [t, s]."""
    price_basis: Strings
    """Basis of the price [v]."""


@dataclass(frozen=True)
class Training:
    """Training runs and standing research."""

    names: Strings
    """Run [r]."""
    standing: Bools
    """A standing load; otherwise a run with a volume [r]."""
    can_pause: Bools
    """Whether it stops and goes by the slice [r]."""
    preemptible: Bools
    """Whether it may use interruptible chips [r]."""
    value_usd: Floats
    """Price of not doing it, discounted to its deadline, USD [r]."""
    work_eflop: Floats
    """Runs: EFLOP to do, pause overhead included [r]."""
    held_eflop_per_s: Floats
    """Standing loads: dense peak held, EFLOP/s [r]."""
    max_chips: Floats
    """Largest cluster, usable chips [r]; inf = no limit."""
    window: Bools
    """Periods in which it may run [r, t]."""
    eflop_per_chip_hour: Floats
    """Work of one usable chip in an hour [r, p]; 0 where not allowed."""
    peak_eflop_per_s: Floats
    """Dense peak of one chip [r, p]; 0 where not allowed."""
    mfu: Mapping[str, Mfu]
    """Training efficiency by chip family, with band and provenance."""
    column_names: Strings
    """`run: site, start, duration` [q]."""
    column_run: Ints
    """Run of the column [q]."""
    column_start: Ints
    """Start period [q]."""
    column_periods: Ints
    """Periods touched [q]."""
    column_chips: Floats
    """Usable chips while it runs [q]."""
    column_use: Floats
    """Usable chips taken, mean over the period [q, p, t]."""
