"""Which augmentation helps, and how strong it should be: search spaces, ablations, searches, populations (extra `tune`)."""
