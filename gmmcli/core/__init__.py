"""The mathematics of Gaussian mixtures: pure functions of frozen values, no files, no printing."""
