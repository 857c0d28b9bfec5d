"""Rows in and out: CSV, Parquet, Arrow; files, pipes, compressed; the original bytes kept."""

from gmmcli.tables.features import Features, read_features
from gmmcli.tables.format import Format

__all__ = ["Features", "Format", "read_features"]
