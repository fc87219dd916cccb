"""How actions are run: the mode of a call, slices, constants, the sampling kernel."""
