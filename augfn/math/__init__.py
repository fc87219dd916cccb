"""Plain mathematics on tensors: maps, resampling, colour, convolution, fields."""
