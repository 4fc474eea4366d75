"""Decisions: what a deal or an offer is worth, and what a limit costs along a range."""
