"""How a model behaves under augmentation: by layer, embedding and prediction, by op, over a parameter, in the worst case."""

from augfn.analysis.capture import Tap, activations
from augfn.analysis.curves import Curves, sweep
from augfn.analysis.paired import compare
from augfn.analysis.reports import Report
from augfn.analysis.study import behaviour
