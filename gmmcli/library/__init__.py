"""The public library: arrays and DataFrames in, models out. The commands call this same library."""

from gmmcli.core.fitting import Init
from gmmcli.core.selection import Candidate
from gmmcli.library.fits import Settings, fit, fit_table
from gmmcli.library.judging import Scorer, density_threshold, verdicts
from gmmcli.library.selection import Selection, select_k, select_table
from gmmcli.library.tables import Table, as_table, table_of

__all__ = [
    "Candidate",
    "Init",
    "Scorer",
    "Selection",
    "Settings",
    "Table",
    "as_table",
    "density_threshold",
    "fit",
    "fit_table",
    "select_k",
    "select_table",
    "table_of",
    "verdicts",
]
