"""How a model behaves under augmentation: by layer, embedding and prediction, by op, over a parameter, in the worst case."""

from augfn.analysis.capture import Tap, activations
from augfn.analysis.corruptions import corruption_error, corruption_errors, corruption_suite, relative_corruption_error
from augfn.analysis.curves import Curves, sweep
from augfn.analysis.measures import cka, cka_of, cosine, hsic_moments, normalized_variance, relative_l2, retention, rsa
from augfn.analysis.paired import compare, over_seeds
from augfn.analysis.predictions import calibration_error, flips, jsd_each, margin, probe_agreement
from augfn.analysis.reports import Report
from augfn.analysis.study import behaviour
from augfn.analysis.subspaces import cca, procrustes, pwcca, svcca
from augfn.analysis.tables import Estimate, Table
from augfn.analysis.variance import invariance

__all__ = [
    "Curves",
    "Estimate",
    "Report",
    "Table",
    "Tap",
    "activations",
    "behaviour",
    "calibration_error",
    "cca",
    "cka",
    "cka_of",
    "compare",
    "corruption_error",
    "corruption_errors",
    "corruption_suite",
    "cosine",
    "flips",
    "hsic_moments",
    "invariance",
    "jsd_each",
    "margin",
    "normalized_variance",
    "over_seeds",
    "probe_agreement",
    "procrustes",
    "pwcca",
    "relative_corruption_error",
    "relative_l2",
    "retention",
    "rsa",
    "svcca",
    "sweep",
]
