"""Programs for ``script``: each is run as it stands by Python, and scripted."""

from . import algorithms, closures, constructs, mixtures, reviewed, sharing
from .case import PROGRAMS

__all__ = ["PROGRAMS", "algorithms", "closures", "constructs", "mixtures", "reviewed", "sharing"]
