"""Programs for ``script``: each is run as it stands by Python, and scripted."""

from . import algorithms, by_hand, closures, constructs, mixtures, reviewed, sharing
from .case import PROGRAMS

__all__ = [
    "PROGRAMS",
    "algorithms",
    "by_hand",
    "closures",
    "constructs",
    "mixtures",
    "reviewed",
    "sharing",
]
