"""Which augmentation helps, and how strong it should be: search spaces, ablations, searches, populations (extra `tune`)."""

from augfn.tune.reporting import Reported, report
from augfn.tune.results import Searched
from augfn.tune.searching import search, seeds_of
from augfn.tune.spaces import Space, space

__all__ = ["Reported", "Searched", "Space", "report", "search", "seeds_of", "space"]
