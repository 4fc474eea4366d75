"""An earlier plan as the start of the next solve: what it keeps, and how that is read."""
