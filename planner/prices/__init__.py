"""Prices of a plan: what one more unit of a limit saves, and of a requirement costs."""
