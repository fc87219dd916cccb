"""The ops: one small function each, one file per family."""
