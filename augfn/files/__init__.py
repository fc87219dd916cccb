"""Policies as files: an augmentation as plain data (dicts, lists, numbers and names), and back."""
