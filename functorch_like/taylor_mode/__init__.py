"""Taylor mode: every value carries the coefficients of a power series along.

``series.py`` is the arithmetic of truncated series and ``recurrences.py`` what it makes of the
frequent functions; ``trace.py`` applies them, and to all other primitives their jvp rule, order by
order; ``control.py`` has loops, branches and compiled calls, ``implicit.py`` solutions of
equations; ``jet.py`` is what users call.
"""

from .jet import jet, taylor

__all__ = ["jet", "taylor"]
