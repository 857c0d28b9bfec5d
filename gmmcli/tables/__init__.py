"""Rows in and out: CSV, Parquet, Arrow; files, pipes, compressed; the original bytes kept."""

from gmmcli.tables.cells import Domain
from gmmcli.tables.column_facts import counts_up
from gmmcli.tables.features import EXCLUDED, NOT_CHOSEN, WEIGHT, Features, read_features
from gmmcli.tables.foreign import refuse_url
from gmmcli.tables.format import Format
from gmmcli.tables.objects import is_object
from gmmcli.tables.other_columns import OtherColumn, other_columns, read_texts, texts_of
from gmmcli.tables.read_so_far import Groups
from gmmcli.tables.rows import NewColumn, RowBlock, RowStream, open_rows
from gmmcli.tables.sources import expand_paths
from gmmcli.tables.spill import Store, available_memory, memory_size
from gmmcli.tables.suffixes import misleading_suffix, require_csv, require_table
from gmmcli.tables.writer import RowWriter, open_table_file, open_writer, write_table

__all__ = [
    "EXCLUDED",
    "NOT_CHOSEN",
    "WEIGHT",
    "Domain",
    "Features",
    "Format",
    "Groups",
    "NewColumn",
    "OtherColumn",
    "RowBlock",
    "RowStream",
    "RowWriter",
    "Store",
    "available_memory",
    "counts_up",
    "expand_paths",
    "is_object",
    "memory_size",
    "misleading_suffix",
    "open_rows",
    "open_table_file",
    "open_writer",
    "other_columns",
    "read_features",
    "read_texts",
    "refuse_url",
    "require_csv",
    "require_table",
    "texts_of",
    "write_table",
]
