"""Published policies: AutoAugment, RandAugment, TrivialAugment, AugMix, each in the dialect of a library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from augfn.compose import mixture, one_of, pipeline, some_of
from augfn.core.augmentation import Augmentation
from augfn.core.combined import Pipeline
from augfn.distributions import Beta, Dirichlet
from augfn.errors import explain, unknown
from augfn.policies.spaces import Draw, Make, paper_space, snake, timm_space, torchvision_space
from augfn.policies.tables import AUTO_AUGMENT

DIALECTS = ("torchvision", "timm", "paper")
GREY = 128 / 255
# timm's fifteen, in order, and those that it exchanges where a higher level shall be a stronger one
RAND = "AutoContrast Equalize Invert Rotate Posterize Solarize SolarizeAdd Color Contrast Brightness Sharpness ShearX ShearY"
RAND += " TranslateXRel TranslateYRel"
MIX = "AutoContrast ColorIncreasing ContrastIncreasing BrightnessIncreasing SharpnessIncreasing Equalize Rotate"
MIX += " PosterizeIncreasing SolarizeIncreasing ShearX ShearY TranslateXRel TranslateYRel"
INCREASING = ("Posterize", "Solarize", "Color", "Contrast", "Brightness", "Sharpness")


def rand_augment(
    n: int | tuple[int, int] = 2,
    m: float = 9,
    dialect: str = "torchvision",
    *,
    p: Any = None,
    mstd: float = 0.0,
    mmax: int | None = None,
    increasing: bool = False,
    interpolation: str | None = None,
    fill: Any = None,
) -> Pipeline:
    """RandAugment(N, M): n ops drawn with replacement, at the level m.

    * `dialect`: "torchvision" (14 ops, levels 0 to 30), "timm" (15 ops, levels 0 to 10, p .5 for each op) or "paper" (14
      ops, levels of which 10 are AutoAugment's largest argument). Level 9 is 30 % of torchvision's range, 90 % of the
      others'.
    * `n`: a number, or (low, high), drawn per sample; the leaf `count`.
    * timm's: `mstd` (the level is normal about m; above 100: uniform from 0 to m), `mmax` (the largest level, 10),
      `increasing` (a higher level is a stronger op), `p` of each op.
    * `interpolation` is nearest in torchvision's dialect, bilinear in the others; `fill` is 0, in timm's a grey of 128.

    In params `some_of/one_of/rotate/degrees` is the argument that the first op would have. Sources: Cubuk et al. 2020;
    torchvision `RandAugment`; timm `rand_augment_transform`.

    >>> import torch, augfn as af
    >>> y, params = af.rand_augment()(torch.rand(4, 3, 32, 32), None, af.key(0))
    >>> params["some_of"]["one_of"]["rotate"]["degrees"].abs()
    tensor([9., 9., 9., 9.])
    """
    no_string("rand_augment", n)
    top = check_dialect("rand_augment", dialect, m, mmax)
    if dialect != "timm" and (mstd or mmax is not None or increasing):
        given = {"mstd": mstd, "mmax": mmax, "increasing": increasing}
        raise ValueError(explain("rand_augment: settings of timm's", given, 'dialect="timm"', "leave them out"))
    p = (0.5 if dialect == "timm" else 1.0) if p is None else p
    if dialect == "timm":
        space = timm_space(top)
        names = [n + "Increasing" * (increasing and n in INCREASING) for n in RAND.split()]
        ops = {n: space[n] for n in names}
    else:
        ops = torchvision_space("RandAugment", 31) if dialect == "torchvision" else paper_space("RandAugment")
    chosen = some_of(n, replace=True, **branches(ops, level_of(m, mstd, p)))
    return pipeline(chosen, **reading(dialect, interpolation, fill))


def trivial_augment(*, bins: int = 31, interpolation: str | None = "nearest", fill: Any = None) -> Pipeline:
    """TrivialAugmentWide: one op of 14, at one of `bins` levels, all equally likely.

    Sources: Mueller and Hutter 2021 (wide); torchvision `TrivialAugmentWide`.

    >>> import torch, augfn as af
    >>> y, params = af.trivial_augment()(torch.rand(4, 3, 32, 32), None, af.key(0))
    >>> params["one_of"]["choice"].sum(-1)
    tensor([1., 1., 1., 1.])
    """
    ops = torchvision_space("TrivialAugmentWide", bins)
    return pipeline(one_of(**branches(ops, Draw(bins - 1, "bins"))), **reading("torchvision", interpolation, fill))


def auto_augment(
    name: str = "imagenet",
    dialect: str = "torchvision",
    *,
    mstd: float = 0.0,
    interpolation: str | None = None,
    fill: Any = None,
) -> Pipeline:
    """AutoAugment: one of 25 sub-policies, two ops in a row, each with its own probability and level.

    `name`: "imagenet", "cifar10", "svhn", or "v0" (EfficientNet's, timm's dialect alone). `dialect`: "torchvision" (ten
    levels) or "timm" (its `original`; `mstd` as in `rand_augment`). Sources: Cubuk et al. 2019; torchvision
    `AutoAugment`; timm `auto_augment_transform`.

    >>> import torch, augfn as af
    >>> y, params = af.auto_augment("cifar10")(torch.rand(4, 3, 32, 32), None, af.key(0))
    >>> list(params["one_of"])[:3]
    ['choice', 'invert_contrast', 'rotate_translate_x']
    """
    no_string("auto_augment", name)
    if name not in AUTO_AUGMENT:
        raise ValueError(unknown("AutoAugment policy", name, AUTO_AUGMENT))
    if dialect not in ("torchvision", "timm") or (name == "v0" and dialect != "timm"):
        want = "'timm'" if name == "v0" else "'torchvision' or 'timm'"
        raise ValueError(explain(f"auto_augment: dialect of {name!r}", dialect, want, 'dialect="timm"'))
    space = torchvision_space("AutoAugment", 10) if dialect == "torchvision" else timm_space()
    own = {"TranslateX": "TranslateXRel", "TranslateY": "TranslateYRel", "Posterize": "PosterizeOriginal"}
    renamed = own if dialect == "timm" and name != "v0" else {}
    return pipeline(
        one_of(**sub_policies(AUTO_AUGMENT[name], space, renamed, mstd)), **reading(dialect, interpolation, fill)
    )


def augmix(
    severity: float = 3,
    width: int = 3,
    depth: int = -1,
    alpha: float = 1.0,
    dialect: str = "torchvision",
    *,
    all_ops: bool = True,
    interpolation: str | None = "bilinear",
    fill: Any = None,
) -> Pipeline:
    """AugMix: a mixture of `width` chains of `depth` ops (-1: 1 to 3), weights Dirichlet(alpha), the mixture's share
    Beta(alpha, alpha).

    `dialect`: "torchvision" (levels 0 to severity - 1 of ten, 13 ops, 9 without `all_ops`), "timm" (levels uniform from 0 to
    severity, 13 ops) or "paper" (uniform from 0.1 to severity, 9 ops). Sources: Hendrycks et al. 2020; torchvision
    `AugMix`; timm `augment_and_mix_transform`.

    >>> import torch, augfn as af
    >>> y, params = af.augmix()(torch.rand(4, 3, 32, 32), None, af.key(0))
    >>> params["mixture"]["weights"].shape
    torch.Size([4, 3])
    """
    no_string("augmix", severity)
    check_dialect("augmix", dialect, 0, None)
    least = 1 if dialect == "torchvision" else 0.1
    if not least <= severity <= 10:
        raise ValueError(
            explain("augmix: severity", severity, f"{least} to 10 in the dialect {dialect!r}", "severity=3")
        )
    if dialect == "torchvision":
        ops = torchvision_space("AugMix", 10)
        draw = Draw(severity - 1, "bins")
        ops = ops if all_ops else dict([*ops.items()][:9])
    elif dialect == "timm":
        space = timm_space()
        ops, draw = {n: space[n] for n in MIX.split()}, Draw(severity, "uniform")
    else:
        ops, draw = paper_space("AugMix", 10), Draw(severity, "uniform", 0.1)
    span = (1, 3) if depth < 1 else depth
    return pipeline(mixed(ops, draw, width, span, alpha), **reading(dialect, interpolation, fill))


# what they are made of


def mixed(ops: Mapping[str, Make], draw: Draw, width: int, depth: Any, alpha: float) -> Augmentation:
    """AugMix's chains and their mixture."""
    chains = {f"chain_{i + 1}": some_of(depth, **branches(ops, draw), replace=True) for i in range(width)}
    weights = Dirichlet([alpha] * width) if width > 1 else None
    return mixture(weights=weights, share=Beta(alpha, alpha), **chains)


def branches(ops: Mapping[str, Make], draw: Draw) -> dict[str, Any]:
    """The ops, each with a level as it is drawn."""
    return {snake(name): make(draw) for name, make in ops.items()}


def sub_policies(
    text: str, space: Mapping[str, Make], renamed: Mapping[str, str], mstd: float
) -> dict[str, Augmentation]:
    """The sub-policies of a table, named after their ops."""
    out: dict[str, Augmentation] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        steps = {}
        for part in line.split(" + "):
            op, p, *level = part.split()
            draw = level_of(float(level[0]) if level else 0.0, mstd, float(p))
            made = space[renamed.get(op, op)](draw)
            steps[snake(op) if snake(op) not in steps else f"{snake(op)}_2"] = made
        name = base = "_".join(snake(part.split()[0]) for part in line.split(" + "))
        n = 2
        while name in out:
            name, n = f"{base}_{n}", n + 1
        out[name] = pipeline(**steps)
    return out


def level_of(m: float, mstd: float, p: Any) -> Draw:
    """timm's way: fixed, normal about it, or uniform below it."""
    if mstd > 100:
        return Draw(m, "uniform", 0.0, p)
    return Draw(m, "normal", mstd, p) if mstd > 0 else Draw(m, p=p)


def no_string(what: str, given: Any) -> None:
    """timm's strings are read by `policy`."""
    if isinstance(given, str) and ("-" in given or given.startswith("original")):
        raise ValueError(
            explain(f"{what}: a string of timm's", given, "its settings by keywords", f"af.policy({given!r})")
        )


def check_dialect(what: str, dialect: str, m: float, mmax: int | None) -> int:
    """The largest level of the dialect."""
    if dialect not in DIALECTS:
        raise ValueError(explain(f"{what}: dialect", dialect, f"one of {DIALECTS}", 'dialect="timm"'))
    top = {"torchvision": 30, "timm": mmax or 10, "paper": 30}[dialect]
    if not 0 <= m <= top:
        fix = "mmax=" + str(int(m)) if dialect == "timm" else f"m={min(max(0, int(m)), top)}"
        raise ValueError(explain(f"{what}: level", m, f"0 to {top} in the dialect {dialect!r}", fix))
    return top


def reading(dialect: str, interpolation: str | None, fill: Any) -> dict[str, Any]:
    """How the library reads between pixels, and what it shows outside of the frame."""
    how = interpolation or ("nearest" if dialect == "torchvision" else "bilinear")
    return {"interpolation": how, "fill": (GREY if dialect == "timm" else 0.0) if fill is None else fill}
