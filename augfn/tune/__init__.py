"""Which augmentation helps, and how strong it should be: search spaces, ablations, searches, populations (extra `tune`)."""

from augfn.tune.ablation import Ablation, ablate
from augfn.tune.population import Population, explored, load_schedule, pbt
from augfn.tune.reporting import Reported, report
from augfn.tune.results import Searched
from augfn.tune.searching import search, seeds_of
from augfn.tune.spaces import Space, space

__all__ = [
    "Ablation",
    "Population",
    "Reported",
    "Searched",
    "Space",
    "ablate",
    "explored",
    "load_schedule",
    "pbt",
    "report",
    "search",
    "seeds_of",
    "space",
]
