"""The mechanism: what an augmentation is, how its params are drawn, and what its actions do to targets."""
