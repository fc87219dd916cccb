"""Augmentation in many processes: across ranks of a training, and on Ray (extra `ray`)."""
