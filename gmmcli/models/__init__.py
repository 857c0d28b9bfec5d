"""Models: a mixture with the names of its columns, saved as JSON or NPZ and checked when read."""

from gmmcli.models.model import Model, dumps, load, loads, read, save

__all__ = ["Model", "dumps", "load", "loads", "read", "save"]
