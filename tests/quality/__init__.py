"""Trials of the quality of the fits: minutes rather than seconds, so no test runs them."""
