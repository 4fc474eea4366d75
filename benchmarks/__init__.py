"""Benchmarks: `python -m benchmarks NAME` prints its figures as one JSON object at the end."""
