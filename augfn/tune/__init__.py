"""Which augmentation helps, and how strong it should be: search spaces, ablations, searches, populations (extra `tune`)."""

from augfn.tune.results import Searched
from augfn.tune.searching import search, seeds_of
from augfn.tune.spaces import Dimension, Space, space

__all__ = ["Dimension", "Searched", "Space", "search", "seeds_of", "space"]
