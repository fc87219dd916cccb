"""Data sets augmented to disk, sample by sample, the same bytes for any number of workers (extra `offline`)."""

from augfn.offline.applying import Applied, apply
from augfn.offline.engines import ENGINES
from augfn.offline.jobs import DataSet, Job, Options, Record
from augfn.offline.replaying import invert, read_manifest, replay

__all__ = ["ENGINES", "Applied", "DataSet", "Job", "Options", "Record", "apply", "invert", "read_manifest", "replay"]
