"""Who maps the batches: one function type, `MapReduce`, folded in block order by all. And who
works on tasks that need nothing of one another.
"""

from gmmcli.engine.local import local, one_thread_a_worker, serial
from gmmcli.engine.processes import forked

__all__ = ["forked", "local", "one_thread_a_worker", "serial"]
