"""How far leaves are searched: by their units, and the customary ranges of `strength`."""

from __future__ import annotations

from augfn.errors import unknown

Span = tuple[float, float]

# Ends where the schema has none, by the unit of a leaf; a whole turn, half the frame and the like.
WIDEST: dict[str, Span] = {
    "degrees": (-180.0, 180.0),
    "degrees (x, y)": (-45.0, 45.0),
    "degrees (x, y, z)": (-180.0, 180.0),
    "degrees, along x with y, x with z, y with x, y with z, z with x, z with y": (-45.0, 45.0),
    "fraction of (width, height)": (-0.5, 0.5),
    "fraction of (width, height, depth)": (-0.5, 0.5),
    "turns": (-0.5, 0.5),
    "factor": (0.0, 2.0),
    "zoom factor, > 1 magnifies": (0.25, 4.0),
    "exponent": (0.25, 4.0),
    "width / height": (0.2, 5.0),
    "pixels": (0.0, 5.0),
    "intensity, full scale = 1": (-1.0, 1.0),
    "strength": (-1.0, 1.0),
    "percentile from 0 to 100, or intensity": (0.0, 100.0),
}

# (op, leaf): how it is meant, what is conservative, and what is aggressive. A "reach" is the half-width of a range about the
# neutral value; "within" is where both ends lie, "to" the upper end alone, "from" the lower one; "number" is what a number is.
JITTER, HUE, TURN = ("reach", (0.1, 0.2), (0.3, 0.5)), ("reach", (0.02, 0.05), (0.1, 0.2)), ("reach", (5, 10), (15, 30))
JITTERS = ("color_jitter", "color_jiggle", "color_twist")
FACTORS = ("brightness", "contrast", "linear_contrast", "saturation", "linear_saturation", "hsv_saturation")
CUSTOMARY: dict[tuple[str, str], tuple[str, Span, Span]] = {
    **{(op, leaf): JITTER for op in JITTERS for leaf in ("brightness", "contrast", "saturation")},
    **{(op, "factor"): JITTER for op in FACTORS},
    **{(op, "hue"): HUE for op in (*JITTERS, "hue", "hue_rotation", "hsv_shift")},
    **{(op, "degrees"): TURN for op in ("rotate", "affine", "rotate3d", "affine3d")},
    ("gaussian_blur", "sigma"): ("to", (0.0, 0.5), (0.0, 2.0)),
    ("resized_crop", "scale"): ("from", (0.5, 1.0), (0.08, 1.0)),
    ("coarse_dropout", "holes"): ("within", (2, 4), (8, 16)),
    ("some_of", "count"): ("number", (1, 2), (2, 3)),
    ("", "level"): ("number", (5, 9), (10, 15)),
    ("cutmix", "weight"): ("number", (0.2, 0.5), (1, 1)),
    ("mixup", "weight"): ("number", (0.1, 0.2), (0.4, 1)),
}
STRENGTHS = ("conservative", "aggressive")


def customary(strength: str | None, op: str, leaf: str) -> tuple[str, Span] | None:
    """The customary range of a leaf, and how it is meant; None where there is none."""
    if strength is None:
        return None
    if strength not in STRENGTHS:
        raise ValueError(unknown("strength", strength, STRENGTHS))
    found = CUSTOMARY.get((op, leaf))
    if found is None:
        return None
    return found[0], found[1] if strength == STRENGTHS[0] else found[2]
