"""Gaussian mixture clustering: `fit`, `load` and `Model`."""

__version__ = "0.1.0"
