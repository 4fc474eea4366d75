"""Demand by slice, and rates by period, as arrays."""

from __future__ import annotations

import numpy as np

from planner.case import Case, most_specific
from planner.instance.axes import Floats, Serving
from planner.throughput.rates import Rates


def weekly_shapes(case: Case) -> Floats:
    """Demand of each hour of the UTC week over the weekly mean [w, hour].

    A profile is in local time; the hour h UTC is h + offset local. Each shape is scaled to mean 1.
    """
    offset = {g.geography: g.utc_offset_hours for g in case.geographies}
    shapes: dict[tuple[str, str], Floats] = {}
    for point in case.profile:
        key = (point.geography, point.service_class)
        shapes.setdefault(key, np.zeros(168))[point.hour_of_week] = point.factor
    out = np.empty((len(case.serving), 168))
    hours = np.arange(168)
    for i, w in enumerate(case.serving):
        target = (w.geography, w.service_class)
        fits = [k for k in shapes if all(a in ("*", b) for a, b in zip(k, target, strict=True))]
        local = shapes[max(fits, key=lambda k: sum(part != "*" for part in k))]
        # Offsets of half an hour mix the two hours they fall between.
        shift = offset[w.geography]
        whole = int(np.floor(shift))
        part = shift - whole
        utc = (1 - part) * local[(hours + whole) % 168] + part * local[(hours + whole + 1) % 168]
        out[i] = utc / utc.mean()
    return out


def serving_of(case: Case, rates: Rates) -> Serving:
    """Serving workloads with their demand in each slice and their rates in each period.

    mean[w,t,s] = weekly mean x mean factor of the slice's hours;
    peak[w,t,s] = weekly mean x largest factor of the slice's hours x headroom of the class.
    A deferrable class has no peak of its own: its peak is its weekly mean x headroom.
    rate[w,p,t] = rate x (1 + gain a year)^years.
    """
    calendar = case.calendar
    classes = {c.service_class: c for c in case.classes}
    models = {m.model: m for m in case.models}
    weekly = np.zeros((len(case.serving), len(calendar)))
    at = {w.workload: i for i, w in enumerate(case.serving)}
    for row in case.demand:
        weekly[at[row.workload], calendar.index(row.period)] = row.requests_per_s
    shapes = weekly_shapes(case)
    blocks = [s.hours_of_week() for s in case.settings.slices]
    mean_factor = np.stack([shapes[:, block].mean(axis=1) for block in blocks], axis=1)
    peak_factor = np.stack([shapes[:, block].max(axis=1) for block in blocks], axis=1)
    service = [classes[w.service_class] for w in case.serving]
    deferrable = np.array([c.deferrable for c in service], dtype=bool)
    headroom = np.array([c.headroom for c in service])
    peak_factor[deferrable] = 1.0
    computed = np.array([w.input_tokens - w.cached_tokens + w.output_tokens for w in case.serving])
    trend = trends(case)
    served = (weekly > 0)[:, None, :]
    return Serving(
        names=tuple(w.workload for w in case.serving),
        model=tuple(w.model for w in case.serving),
        generation=tuple(models[w.model].generation for w in case.serving),
        geography=tuple(w.geography for w in case.serving),
        service_class=tuple(w.service_class for w in case.serving),
        channel=tuple(w.channel for w in case.serving),
        deferrable=deferrable,
        mean=weekly[:, :, None] * mean_factor[:, None, :],
        peak=weekly[:, :, None] * peak_factor[:, None, :] * headroom[:, None, None],
        headroom=headroom,
        penalty_usd=computed * np.array([c.penalty_usd_per_million_tokens for c in service]) / 1e6,
        computed_tokens=computed,
        total_tokens=np.array([w.input_tokens + w.output_tokens for w in case.serving]),
        rate=rates.mid[:, :, None] * trend[1] * served,
        rate_low=rates.low[:, :, None] * trend[0] * served,
        rate_high=rates.high[:, :, None] * trend[2] * served,
        rate_failover=rates.failover[:, :, None] * trend[1] * served,
        basis=rates.basis,
        reason=rates.reason,
        reference_rate=rates.reference,
    )


def trends(case: Case) -> Floats:
    """Software gain since the start of the case, low, mid and high [band, w, p, t]."""
    years = case.calendar.years()
    gains = np.zeros((3, len(case.models), len(case.chips)))
    for m, model in enumerate(case.models):
        for c, chip in enumerate(case.chips):
            row = most_specific(case.efficiency, ("model", "chip"), (model.model, chip.chip))
            if row is not None:
                gains[:, m, c] = (row.gain_per_year_low, row.gain_per_year, row.gain_per_year_high)
    model_at = {m.model: i for i, m in enumerate(case.models)}
    chip_at = {c.chip: i for i, c in enumerate(case.chips)}
    w_model = np.array([model_at[w.model] for w in case.serving], dtype=np.int64)
    p_chip = np.array([chip_at[p.chip] for p in case.pools], dtype=np.int64)
    picked = gains[:, w_model][:, :, p_chip]
    out: Floats = (1.0 + picked[..., None]) ** years
    return out


def billed_share(case: Case, serving: Serving) -> Floats:
    """Mean over peak demand of each slice, over interactive workloads weighted by work [t, s].

    Pay as you go is provisioned for the peak hour of the slice and billed for its mean. Work of
    a request is counted as its computed tokens x active weights of its model.
    """
    active = {a.architecture: a.active_params_b for a in case.architectures}
    size = {m.model: active[m.architecture] for m in case.models}
    weight = serving.computed_tokens * np.array([size[m] for m in serving.model])
    weight = np.where(serving.deferrable, 0.0, weight)
    mean = np.einsum("w,wts->ts", weight, serving.mean)
    peak = np.einsum("w,wts->ts", weight / serving.headroom, serving.peak)
    out: Floats = np.where(peak > 0, mean / np.where(peak > 0, peak, 1.0), 1.0)
    return out
