"""One likelihood and one climb: batches, the E-step, the M-step, when it is over."""
