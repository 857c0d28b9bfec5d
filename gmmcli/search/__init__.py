"""Many climbs, one winner: starts, heats, splits and merges, and the grid of select-k."""
