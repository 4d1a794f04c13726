"""How fast, how large: figures as ratios to a bare functions-framework in the same run. Start with `scripts/bench`."""
