"""Certified what-if sweeps of a plan; `docs/sweep.md` tells how."""
