"""Local features that learn: the hardest-in-batch loss, and what turns the numbers of a net into an orientation and a shape."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from augfn.errors import explain

NEGATIVES = ("constant", "free", "none")
TINY = 1e-12  # in a squared distance, at most 4: the slope of its root is finite at 0


def hardnet_loss(
    anchor: Tensor, positive: Tensor, *, negatives: str = "constant", margin: float = 1.0, near: float = 0.008
) -> Tensor:
    """The triplet loss of matching descriptors a_i, p_i `[N, D]` with the hardest negatives in the batch: a scalar, the mean of

        max(0, margin + d(a_i, p_i) - min_j d(a_i, p_j)),    max(0, margin + d(a_i, p_i) - min_j d(p_i, a_j)),    j != i

    with d the Euclidean distance of the descriptors divided by their lengths, from 0 to 2.

    | argument | meaning |
    |---|---|
    | `anchor`, `positive` | descriptors of N >= 2 patches and of their counterparts, of any length but 0 |
    | `negatives` | "constant" (HardNegC): no gradient reaches the negative, only what is compared with it, so that nothing
    pushes two patches apart that the pair does not ask for. "free" (HardNet): the gradient reaches it too. "none"
    (PosDist): the mean of d(a_i, p_i) alone, which a net can make 0 by describing all alike |
    | `margin` | what a negative is to be farther away than the positive, >= 0 |
    | `near` | nearer than this is a duplicate of the patch and no negative, >= 0. A row all of whose negatives are
    duplicates has loss 0 |

    Half precision is computed in float32, and so is the result. Raises TypeError for what is not floating or of two dtypes,
    ValueError for other shapes and values. Sources: Mishchuk et al. 2017 (HardNet); Mishkin et al. 2018, "Repeatability is not
    enough" (AffNet: HardNegC, PosDist).

    >>> a = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0]])
    >>> hardnet_loss(a, a)  # the nearest negative is sqrt(2) away
    tensor(0.)
    >>> hardnet_loss(a, a, margin=2.0)  # 2 - sqrt(2)
    tensor(0.5858)
    >>> hardnet_loss(a, a.roll(1, 0), negatives="none")  # (sqrt(2) + sqrt(2) + 2) / 3
    tensor(1.6095)
    """
    check(anchor, positive, negatives, margin, near)
    a, p = (F.normalize(x.to(torch.promote_types(x.dtype, torch.float32)), dim=-1) for x in (anchor, positive))
    matching = ((a - p).square().sum(-1) + TINY).sqrt()
    if negatives == "none":
        return matching.mean()
    still = Tensor.detach if negatives == "constant" else Tensor.clone
    return torch.cat([F.relu(margin + matching - hardest(x, still(y), near)) for x, y in ((a, p), (p, a))]).mean()


def hardest(x: Tensor, others: Tensor, near: float) -> Tensor:
    """The distance from each unit vector to the nearest of the others that is neither its own nor a duplicate."""
    with torch.autocast(x.device.type, enabled=False):  # in half precision the distance .1 would be 0
        distance = (F.relu(2 - 2 * x @ others.mT) + TINY).sqrt()  # rounding makes the square of 0 negative
    own = torch.eye(len(x), dtype=torch.bool, device=x.device)
    return distance.masked_fill(own | (distance < near), torch.inf).amin(-1)


def check(anchor: Any, positive: Any, negatives: str, margin: float, near: float) -> None:
    for name, x in (("anchor", anchor), ("positive", positive)):
        if not isinstance(x, Tensor) or not x.is_floating_point():
            want, fix = "a floating tensor [N, D]", "net(patches).flatten(1)"
            raise TypeError(explain(f"hardnet_loss: {name}", x, want, fix))
    if anchor.shape != positive.shape or anchor.ndim != 2 or len(anchor) < 2:
        given = [list(anchor.shape), list(positive.shape)]
        fix = "one row for each patch and its counterpart, two at the least"
        raise ValueError(explain("hardnet_loss: descriptors", given, "two tensors [N, D], N >= 2", fix))
    if anchor.dtype != positive.dtype:
        given = f"{anchor.dtype}, {positive.dtype}"
        raise TypeError(
            explain("hardnet_loss: descriptors", given, "two tensors of one dtype", "positive.to(anchor.dtype)")
        )
    if negatives not in NEGATIVES:
        raise ValueError(explain("hardnet_loss: negatives", negatives, f"one of {NEGATIVES}", 'negatives="constant"'))
    if not (margin >= 0 and near >= 0):
        raise ValueError(explain("hardnet_loss", {"margin": margin, "near": near}, "both >= 0", "margin=1.0"))


def orientation(vector: Tensor, eps: float = 1e-6) -> Tensor:
    """The angle `[*b]` of two numbers `[*b, 2]`, (c, s): atan2(s, c) in degrees, from -180 to 180.

    Only their ratio counts, so a net is free in their length, and no angle has a wrap between its numbers: two numbers
    rather than one. A vector no longer than `eps` has the angle 0 and the gradient 0, where that of atan2 is not finite.

    For a net whose input turns counter-clockwise, `af.rotate(degrees=-orientation(net(x)))` is the patch made upright. Source:
    Yi et al. 2016, "Learning to assign orientations to feature points"; Mishkin et al. 2018 (OriNet).

    >>> orientation(torch.tensor([[2.0, 0.0], [0.0, 1.0], [-1.0, -1.0], [0.0, 0.0]]))
    tensor([   0.,   90., -135.,    0.])
    """
    numbers(vector, (2,), "orientation", "net(patches), two numbers for each")
    c, s = vector.unbind(-1)
    none = torch.hypot(c, s) <= eps  # whose squares would be 0 in half precision
    return torch.rad2deg(torch.atan2(s.masked_fill(none, 0.0), c.masked_fill(none, 1.0)))


def affine_shape(three: Tensor) -> Tensor:
    """The matrix `[*b, 2, 2]` of unit determinant of three numbers `[*b, 3]`, (a, b, c), in which up stays up:

        [[1 + tanh a, 0], [tanh b, 1 + tanh c]] / sqrt((1 + tanh a) (1 + tanh c))

    Zeros give the identity. It is positive on the diagonal, so it neither mirrors nor turns the vertical. Source: Mishkin et
    al. 2018 (AffNet).

    >>> affine_shape(torch.zeros(3))
    tensor([[1., 0.],
            [0., 1.]])
    >>> torch.linalg.det(affine_shape(torch.tensor([0.3, -2.0, 1.0])))
    tensor(1.)
    """
    numbers(three, (3,), "affine_shape", "net(patches), three numbers for each")
    a, b, c = three.unbind(-1)
    log_a, log_c = F.logsigmoid(2 * a), F.logsigmoid(2 * c)  # of (1 + tanh) / 2, which loses no digits near 0
    ratio = (log_a - log_c) / 2
    return lower(ratio.exp(), b.tanh() * (-(log_a + log_c) / 2).exp() / 2, (-ratio).exp())


def lower(first: Tensor, below: Tensor, last: Tensor) -> Tensor:
    """The matrix [[first, 0], [below, last]]."""
    return torch.stack([first, torch.zeros_like(first), below, last], -1).unflatten(-1, (2, 2))


def upright(matrix: Tensor) -> Tensor:
    """The part L `[*b, 2, 2]` of a matrix M = R L of positive determinant in which up stays up, with unit determinant: R turns,
    and L is lower triangular with a positive diagonal.

    Shapes that differ by a turn have one L. Source: Perdoch et al. 2009 ("up is up"); Mishkin et al. 2018.

    >>> turn = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    >>> upright(turn @ torch.tensor([[4.0, 0.0], [2.0, 1.0]]))
    tensor([[2.0000, 0.0000],
            [1.0000, 0.5000]])
    """
    _, across, below, up = parts(matrix, "upright")
    size = (across * up).sqrt()
    return lower(across / size, below / size, up / size)


def affine_params(matrix: Tensor) -> dict[str, Tensor]:
    """The params of `af.affine` (degrees, scale, scale_y, shear) that move what is at x from the centre to M x, for matrices
    M `[*b, 2, 2]` of positive determinant in pixels (x right, y down).

    All are smooth in M, so that the gradient of a warp by `af.affine(degrees=0, scale=1, scale_y=1, shear=0)` reaches
    it. An upright M has `degrees` 0.

    >>> import augfn as af
    >>> params = affine_params(torch.tensor([[0.0, 2.0], [-1.0, 0.0]]))  # twice as tall, then a quarter turn
    >>> params["degrees"], params["scale"], params["scale_y"]
    (tensor(90.), tensor(1.), tensor(2.))
    """
    turn, across, below, up = parts(matrix, "affine_params")
    slope = torch.rad2deg(torch.atan2(below, across)).neg()
    return {"degrees": turn, "scale": across, "scale_y": up, "shear": torch.stack([torch.zeros_like(slope), slope], -1)}


def parts(matrix: Tensor, what: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of M = R L, with L = [[across, 0], [below, up]]: degrees of R counter-clockwise, across, below, up."""
    numbers(matrix, (2, 2), what, "affine_shape(net(patches))")
    (x0, x1), (y0, y1) = (row.unbind(-1) for row in matrix.unbind(-2))
    up = torch.hypot(x1, y1)
    s, c = x1 / up, y1 / up
    return torch.rad2deg(torch.atan2(x1, y1)), x0 * c - y0 * s, x0 * s + y0 * c, up


def numbers(x: Any, event: tuple[int, ...], what: str, fix: str) -> None:
    if not isinstance(x, Tensor) or not x.is_floating_point():
        raise TypeError(explain(what, x, "a floating tensor", fix))
    if x.shape[-len(event) :] != event:
        raise ValueError(explain(what, x, f"[*b, {', '.join(map(str, event))}]", fix))
