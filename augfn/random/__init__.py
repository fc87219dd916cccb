"""Keys and what is drawn with them."""

from augfn.random.keys import (
    bits,
    check_key,
    fold_in,
    from_generator,
    key,
    normal,
    normal_field,
    salt,
    sample_keys,
    split,
    stream_bits,
    stream_uniform,
    uniform,
    uniform_field,
    unit,
)

__all__ = [
    "bits",
    "check_key",
    "fold_in",
    "from_generator",
    "key",
    "normal",
    "normal_field",
    "salt",
    "sample_keys",
    "split",
    "stream_bits",
    "stream_uniform",
    "uniform",
    "uniform_field",
    "unit",
]
