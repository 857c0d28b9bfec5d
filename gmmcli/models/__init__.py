"""Models: a mixture with the names of its columns, saved as JSON or NPZ and checked when read."""

from gmmcli.mixture.families import FAMILY_COVARIANCES
from gmmcli.models.model import Model, dumps, load, loads, read, save

__all__ = ["FAMILY_COVARIANCES", "Model", "dumps", "load", "loads", "read", "save"]
