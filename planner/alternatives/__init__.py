"""Modelling to generate alternatives: plans of almost least cost, as different as can be."""

from planner.alternatives.run import Alternatives, alternatives

__all__ = ["Alternatives", "alternatives"]
