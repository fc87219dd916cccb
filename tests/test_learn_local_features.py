"""The hardest-in-batch loss by hand, and that the gradient of a warp reaches the numbers of a net."""

import pytest
import torch
from skimage import data
from torch.nn import functional as F

import augfn as af
from augfn.learn import affine_params, affine_shape, hardnet_loss, orientation, upright

NEUTRAL = {"degrees": 0.0, "scale": 1.0, "scale_y": 1.0, "shear": 0.0}
WIDE = {"dtype": torch.float64}


def photo(size=56):
    """A piece of a cameraman, smooth enough for differences of a small step."""
    x = torch.from_numpy(data.camera()[80 : 80 + size, 200 : 200 + size] / 255.0)[None, None]
    return af.gaussian_blur(kernel_size=9, sigma=2.0)(x)[0]


def pairs(n=6, d=5):
    return F.normalize(torch.randn(2, n, d, **WIDE), dim=-1).unbind()


def by_hand(a, p, margin=1.0):
    """The loss in loops, as the paper writes it."""
    total, n = 0.0, len(a)
    for i in range(n):
        pull = (a[i] - p[i]).norm()
        total += F.relu(margin + pull - min((a[i] - p[j]).norm() for j in range(n) if j != i))
        total += F.relu(margin + pull - min((p[i] - a[j]).norm() for j in range(n) if j != i))
    return total / (2 * n)


@pytest.mark.parametrize("negatives", ["constant", "free"])
@pytest.mark.parametrize("margin", [0.2, 1.0])
def test_the_loss_is_the_formula(negatives, margin):
    a, p = pairs()
    torch.testing.assert_close(hardnet_loss(a, p, negatives=negatives, margin=margin), by_hand(a, p, margin))


def test_free_negatives_have_the_gradient_of_the_formula():
    a, p = (x.requires_grad_() for x in pairs())
    hand = torch.autograd.grad(by_hand(F.normalize(a, dim=-1), F.normalize(p, dim=-1)), (a, p))
    torch.testing.assert_close(torch.autograd.grad(hardnet_loss(a, p, negatives="free"), (a, p)), hand)
    assert torch.autograd.gradcheck(lambda a, p: hardnet_loss(a, p, negatives="free"), (a, p))


def test_constant_negatives_get_no_gradient():
    """The fourth pair is matched without a flaw, and is a negative of others: nothing pushes it."""
    a = torch.tensor([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], **WIDE)
    p = torch.tensor([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [-1.0, 0.0, 0.1], [0.0, 0.0, 1.0]], **WIDE)
    a[0] += torch.tensor([0.0, 0.0, 0.9], **WIDE)  # near to the fourth
    grads = {}
    for negatives in ("constant", "free"):
        anchor, positive = a.clone().requires_grad_(), p.clone().requires_grad_()
        loss = hardnet_loss(anchor, positive, negatives=negatives, margin=0.9)
        grads[negatives] = torch.autograd.grad(loss, (anchor, positive))
    still, free = ([g[k][3].norm() for k in range(2)] for g in (grads["constant"], grads["free"]))
    assert free[1] > 0.01  # the negative of the first anchor is pushed away
    assert free[1] > still[1] + 0.01
    assert any(g[0].norm() > 0.01 for g in grads["constant"])  # the anchor hears of its negative


def test_the_constant_gradient_is_that_of_a_copy():
    a, p = (x.requires_grad_() for x in pairs())
    found = torch.autograd.grad(hardnet_loss(a, p), (a, p))

    def half(x, y, other):
        x, y = F.normalize(x, dim=-1), F.normalize(y, dim=-1)
        far = torch.cdist(x, F.normalize(other, dim=-1).detach()) + 10 * torch.eye(len(x), **WIDE)
        return F.relu(1 + (x - y).norm(dim=-1) - far.amin(-1)).mean()

    torch.testing.assert_close(found, torch.autograd.grad((half(a, p, p) + half(p, a, a)) / 2, (a, p)))


def test_lengths_do_not_count():
    a, p = pairs()
    lengths = torch.rand(2, len(a), 1, **WIDE) + 0.1
    torch.testing.assert_close(hardnet_loss(a * lengths[0], p * lengths[1]), hardnet_loss(a, p))


def test_duplicates_are_no_negatives():
    a, p = pairs(4)
    twice = [torch.cat([x, x]) for x in (a, p)]
    torch.testing.assert_close(hardnet_loss(*twice, near=2 * p.shape[1]), torch.zeros((), **WIDE))
    same = torch.cat([a, a]), torch.cat([a, a])
    torch.testing.assert_close(hardnet_loss(*same), hardnet_loss(a, a), atol=1e-5, rtol=0)
    assert hardnet_loss(*same, near=0.0, margin=0.5) > hardnet_loss(*same, margin=0.5)


@pytest.mark.parametrize("negatives", ["constant", "free", "none"])
def test_the_gradient_is_finite_where_distances_are_zero(negatives):
    for same in (torch.ones(4, 3), torch.eye(4), torch.zeros(4, 3)):
        a = same.clone().requires_grad_()
        hardnet_loss(a, a, negatives=negatives).backward()
        assert a.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("negatives", ["constant", "free", "none"])
def test_half_precision_is_computed_in_single(negatives, dtype):
    """In float16 the gradient of an equal pair was NaN; in autocast's products near negatives were duplicates."""
    apart = torch.randn(2, 64, 16, generator=torch.Generator().manual_seed(0))
    a, p = 1 + 0.05 * apart[0], 1 + 0.05 * apart[0] + 1e-3 * apart[1]
    single = hardnet_loss(a, p, negatives=negatives)
    with torch.autocast("cpu", dtype=dtype):
        assert torch.equal(hardnet_loss(a, p, negatives=negatives), single)
    half = a.to(dtype).requires_grad_()
    found = hardnet_loss(half, half, negatives=negatives)
    torch.testing.assert_close(found, hardnet_loss(half.float(), half.float(), negatives=negatives))
    found.backward()
    assert half.grad.isfinite().all()


def test_alike_descriptions_please_only_posdist():
    same, apart = torch.ones(6, 3), torch.eye(6)
    assert hardnet_loss(same, same, negatives="none") < 1e-5
    assert hardnet_loss(apart, apart) == 0
    nearly = same + 0.05 * torch.randn(6, 3)
    assert hardnet_loss(nearly, nearly) > 0.5


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (TypeError, lambda x: hardnet_loss([1.0], x)),
        (TypeError, lambda x: hardnet_loss(x, x.long())),
        (TypeError, lambda x: hardnet_loss(x.float(), x.double())),
        (ValueError, lambda x: hardnet_loss(x, x[:2])),
        (ValueError, lambda x: hardnet_loss(x[:1], x[:1])),
        (ValueError, lambda x: hardnet_loss(x[0], x[0])),
        (ValueError, lambda x: hardnet_loss(x, x, negatives="hard")),
        (ValueError, lambda x: hardnet_loss(x, x, margin=-1.0)),
        (ValueError, lambda x: hardnet_loss(x, x, near=float("nan"))),
        (TypeError, lambda x: orientation(x.long())),
        (ValueError, lambda x: orientation(x)),
        (ValueError, lambda x: affine_shape(x)),
        (TypeError, lambda x: affine_shape(None)),
        (ValueError, lambda x: upright(x)),
        (ValueError, lambda x: affine_params(x)),
    ],
)
def test_errors_say_what_to_do(error, call):
    with pytest.raises(error, match="do this"):
        call(torch.rand(3, 4))


def test_an_orientation_follows_its_vector():
    degrees = torch.linspace(-179, 179, 50, **WIDE)
    vector = torch.stack([torch.deg2rad(degrees).cos(), torch.deg2rad(degrees).sin()], -1)
    for length in (1e-3, 1.0, 30.0):
        torch.testing.assert_close(orientation(length * vector), degrees)
    assert torch.autograd.gradcheck(orientation, (vector.requires_grad_(),))


def test_no_vector_has_no_gradient():
    vector = torch.zeros(3, 2, requires_grad=True)
    orientation(vector).sum().backward()
    assert (vector.grad == 0).all()


def test_a_short_vector_has_an_angle_in_half_precision():
    """The square of eps is 0 in float16 (as kornia 3942 tells of another eps)."""
    found = orientation(torch.tensor([[1e-4, 1e-4], [1e-5, -1e-5], [0.0, 0.0]], dtype=torch.float16))
    torch.testing.assert_close(found, torch.tensor([45.0, -45.0, 0.0], dtype=torch.float16))


def test_a_shape_keeps_area_and_up():
    three = torch.randn(20, 3, **WIDE) * 2
    a = affine_shape(three)
    torch.testing.assert_close(torch.linalg.det(a), torch.ones(20, **WIDE))
    assert (a[:, 0, 1] == 0).all()
    assert (a.diagonal(dim1=-2, dim2=-1) > 0).all()
    t = three.tanh()
    size = ((1 + t[:, 0]) * (1 + t[:, 2])).sqrt()
    torch.testing.assert_close(a[:, 0, 0], (1 + t[:, 0]) / size)
    torch.testing.assert_close(a[:, 1, 0], t[:, 1] / size)
    assert torch.autograd.gradcheck(affine_shape, (three.requires_grad_(),))


def test_a_saturated_shape_still_learns():
    three = torch.tensor([-12.0, 0.5, 12.0], requires_grad=True)  # 1 + tanh is 0 there in single precision
    a = affine_shape(three)
    assert a.isfinite().all()
    assert torch.autograd.grad(a[0, 0].log(), three)[0][0] > 0.5


def turns(degrees):
    c, s = torch.deg2rad(degrees).cos(), torch.deg2rad(degrees).sin()
    return torch.stack([torch.stack([c, s], -1), torch.stack([-s, c], -1)], -2)


def random_maps(n=20):
    return turns(360 * torch.rand(n, **WIDE)) @ affine_shape(torch.randn(n, 3, **WIDE)) * 1.3


def test_upright_shapes_differ_by_a_turn():
    m = random_maps()
    found = upright(m)
    torch.testing.assert_close(upright(turns(360 * torch.rand(len(m), **WIDE)) @ m * 2), found)
    torch.testing.assert_close(upright(found), found)
    torch.testing.assert_close(found.mT @ found, m.mT @ m / 1.69)  # the ellipse is that of M, of area 1
    assert (found[:, 0, 1] == 0).all()
    assert torch.autograd.gradcheck(upright, (m.requires_grad_(),))


def test_affine_params_are_those_of_the_matrix():
    m = random_maps()
    params = affine_params(m)
    found = af.transform_matrix(af.affine(**NEUTRAL), params, (21, 31))
    torch.testing.assert_close(found[:, :2, :2].to(m), m, atol=1e-5, rtol=0)
    torch.testing.assert_close(affine_params(upright(m))["degrees"], torch.zeros(len(m), **WIDE))


def test_affine_params_are_smooth():
    assert torch.autograd.gradcheck(lambda m: tuple(affine_params(m).values()), (random_maps().requires_grad_(),))


@pytest.mark.parametrize("axis", range(2))
def test_the_gradient_of_a_turn_reaches_the_net(axis):
    """Of a warp by the orientation, against a central difference."""
    f = af.pipeline(turn=af.rotate(degrees=0.0), crop=af.center_crop(size=24))
    x, like = photo(), photo().flip(-1)[..., 16:40, 16:40]

    def loss(vector):
        return (f(x, {"turn": {"degrees": -orientation(vector)}})[0] - like).square().sum()

    against_differences(loss, torch.tensor([[0.8, 0.5]], **WIDE), axis)


@pytest.mark.parametrize("axis", range(3))
def test_the_gradient_of_a_shape_reaches_the_net(axis):
    f = af.pipeline(move=af.affine(**NEUTRAL), crop=af.center_crop(size=24))
    x, like = photo(), photo().flip(-1)[..., 16:40, 16:40]

    def loss(three):
        return (f(x, {"move": affine_params(affine_shape(three))})[0] - like).square().sum()

    against_differences(loss, torch.tensor([[0.2, -0.3, 0.1]], **WIDE), axis)


def against_differences(loss, at, axis, step=1e-3):
    at = at.requires_grad_()
    slope = torch.autograd.grad(loss(at), at)[0][0, axis]
    move = torch.zeros_like(at)
    move[0, axis] = step
    with torch.no_grad():
        difference = (loss(at + move) - loss(at - move)) / (2 * step)
    assert slope.abs() > 0.05
    torch.testing.assert_close(slope, difference, rtol=0.03, atol=1e-3)


def test_an_orientation_is_learned_back():
    """From 25 degrees off, by the gradient of the warp alone."""
    f = af.pipeline(turn=af.rotate(degrees=0.0), back=af.rotate(degrees=0.0), crop=af.center_crop(size=24))
    x, off = photo(), torch.tensor([25.0], **WIDE)
    goal = f(x, {"turn": {"degrees": 0 * off}, "back": {"degrees": 0 * off}})[0]
    vector = torch.tensor([[1.0, 0.0]], **WIDE, requires_grad=True)
    optimizer = torch.optim.Adam([vector], 0.03)
    for _ in range(60):
        y = f(x, {"turn": {"degrees": off}, "back": {"degrees": -orientation(vector)}})[0]
        optimizer.zero_grad()
        (y - goal).square().mean().backward()
        optimizer.step()
    assert orientation(vector).item() == pytest.approx(25, abs=1)


def test_all_of_it_compiles():
    """Without a break: nothing looks at a value."""

    def whole(vector, three, a, p):
        return orientation(vector).sum() + affine_params(affine_shape(three))["shear"].sum() + hardnet_loss(a, p)

    args = torch.randn(4, 2), torch.randn(4, 3), torch.randn(4, 5), torch.randn(4, 5)
    found = torch.compile(whole, fullgraph=True, backend="aot_eager")(*args)
    torch.testing.assert_close(found, whole(*args))
