"""Data sets augmented to disk, sample by sample, the same bytes for any number of workers (extra `offline`)."""
