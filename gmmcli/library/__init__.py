"""The public library: arrays and DataFrames in, models out. The commands call this same library.

`fit`, `select`, `judge` and others are imported one by one: who judges rows need not wait for what
fits them.
"""
