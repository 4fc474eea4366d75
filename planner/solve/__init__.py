"""Arrays -> Solution: sessions with the solver, dive, branching, bounds and their proof."""
