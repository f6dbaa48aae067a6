"""Loops and branches that can be differentiated, batched and staged."""

from .associative import associative_scan
from .branches import cond, switch
from .loops import fori_loop, map, scan, while_loop
from .schedules import Binomial

__all__ = [
    "Binomial",
    "associative_scan",
    "cond",
    "fori_loop",
    "map",
    "scan",
    "switch",
    "while_loop",
]
