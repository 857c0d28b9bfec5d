"""Benchmarks against peers, in turn in one run: `make bench`."""
