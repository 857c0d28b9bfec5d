"""Rows in and out: CSV, Parquet, Arrow; files, pipes, compressed; the original bytes kept."""

from gmmcli.tables.features import NOT_CHOSEN, Features, read_features
from gmmcli.tables.format import Format
from gmmcli.tables.number_text import format_floats
from gmmcli.tables.rows import NewColumn, RowBlock, RowStream, open_rows
from gmmcli.tables.spill import Store, available_memory, memory_size
from gmmcli.tables.writer import RowWriter, misleading_suffix, open_writer, write_table

__all__ = [
    "NOT_CHOSEN",
    "Features",
    "Format",
    "NewColumn",
    "RowBlock",
    "RowStream",
    "RowWriter",
    "Store",
    "available_memory",
    "format_floats",
    "memory_size",
    "misleading_suffix",
    "open_rows",
    "open_writer",
    "read_features",
    "write_table",
]
