"""Benchmarks against kornia, torchvision and albumentations: `python -m benchmarks.pipeline`."""
