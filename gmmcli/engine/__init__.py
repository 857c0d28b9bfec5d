"""Who maps the batches: one function type, `MapReduce`, folded in block order by all."""

from gmmcli.engine.local import available_processors, local, one_thread_a_worker, serial

__all__ = ["available_processors", "local", "one_thread_a_worker", "serial"]
