"""Who maps the batches: one function type, `MapReduce`, folded in block order by all. And who
works on tasks that need nothing of one another.
"""

from gmmcli.engine.local import available_processors, local, one_thread_a_worker, serial
from gmmcli.engine.processes import forked

__all__ = ["available_processors", "forked", "local", "one_thread_a_worker", "serial"]
