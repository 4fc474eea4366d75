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
from scipy.optimize import least_squares

from planner.throughput.closed_loop import TERMS, Loop, Times, levels
from planner.throughput.factors import COEFFICIENTS, Factors, lineage
from planner.throughput.inputs import FloatArray, IntArray
from planner.throughput.points import Points, points_from_rows, read_rows

CALIBRATION_DATA = ("inferencex_points.csv", "neuron_inference.csv")
"""Tables that the factors are fitted to, in `data/calibration`."""
SPECIFICATIONS = ("architectures.csv", "calibration_chips.csv")
"""Packaged tables that the fit reads."""
