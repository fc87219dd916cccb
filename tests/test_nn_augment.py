import copy
import pickle

import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_leaves
from torch.utils.data import DataLoader, Dataset

import augfn as af
from augfn_nn import Augment, RandomAffine, RandomRotation, Resize
from augfn_nn.ranges import Ranges


@pytest.fixture
def x():
    return torch.rand(4, 3, 12, 16)


def chain():
    return af.pipeline(
        af.hflip(p=0.5), af.affine(degrees=(-15, 15), scale=(0.9, 1.1)), af.brightness(factor=(0.8, 1.2))
    )


def fixed(p):
    """A learnable angle at full strength."""
    return RandomRotation(nn.Parameter(torch.tensor(p)), p=1.0)


# the call


def test_it_is_the_function_it_wraps(x):
    f, key = chain(), af.key(3)
    aug = Augment(f)
    y, params = f(x, None, key)
    assert aug(x, generator=key).equal(y)
    for a, b in zip(tree_leaves(aug._params), tree_leaves(params), strict=True):
        assert a.equal(b)


def test_params_replay_and_partial_params_fix_what_they_name(x):
    aug = Augment(chain())
    y = aug(x)
    before = torch.get_rng_state()
    assert aug(x, params=aug._params).equal(y)
    assert torch.get_rng_state().equal(before)  # a replay draws no key
    aug(x, {"affine": {"degrees": torch.full((4,), 5.0)}})
    assert aug._params["affine"]["degrees"].tolist() == [5.0] * 4
    assert aug._params["affine"]["scale"].unique().numel() == 4


def test_manual_seed_rules(x):
    aug = Augment(chain())
    torch.manual_seed(7)
    first, second = aug(x), aug(x)
    torch.manual_seed(7)
    assert aug(x).equal(first)
    assert not second.equal(first)
    a, b = (aug(x, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    assert a.equal(b)


def test_eval_is_the_identity(x):
    aug = Augment(chain()).eval()
    before = torch.get_rng_state()
    aug.train()(x)
    assert aug.eval()(x) is x
    assert aug.inverse(x) is x
    assert all(part is None for part in aug._params.values())
    assert aug.transform_matrix.equal(torch.eye(3).expand(len(x), 3, 3))
    assert aug.train()(x, params=aug._params).equal(x)
    assert aug.inverse(x).equal(x)
    alone = Augment(af.rotate())
    alone(x)
    assert alone.eval()(x) is x
    assert alone.train().transform_matrix.equal(torch.eye(3).expand(len(x), 3, 3))
    assert alone.inverse(x) is x
    before = torch.get_rng_state()
    aug.eval()(x)
    assert torch.get_rng_state().equal(before)


def test_a_call_leaves_the_function_alone(x):
    f = chain()
    before = dict(f.__dict__), [dict(s.__dict__) for s in f.steps.values()]
    Augment(f)(x)
    assert (dict(f.__dict__), [dict(s.__dict__) for s in f.steps.values()]) == before


def test_a_dict_of_targets(x):
    aug = Augment(af.hflip())
    out = aug({"image": x, "mask": x[:, 0], "keypoints": torch.zeros(4, 1, 2)})
    assert out["mask"].equal(x[:, 0].flip(-1))
    assert out["keypoints"][0].tolist() == [[15.0, 0.0]]


def test_same_on_batch(x):
    aug = Augment(chain(), same_on_batch=True)
    aug(x)
    assert all(leaf.shape[0] == 4 and leaf.unique(dim=0).shape[0] == 1 for leaf in tree_leaves(aug._params))
    with pytest.raises(ValueError, match="a key per sample"):
        aug(x, generator=af.split(af.key(0), 4))


@pytest.mark.parametrize(
    ("f", "shape"),
    [(af.rotate(), (3, 8, 8)), (af.rotate(), (8, 8)), (af.hflip3d(), (1, 4, 8, 8)), (af.hflip3d(), (4, 8, 8))],
)
def test_keepdim(f, shape):
    x = torch.rand(shape)
    batched = (1,) * (f.ndim + 2 - len(shape)) + shape
    assert Augment(f)(x).shape == batched
    aug = Augment(f, keepdim=True)
    assert aug(x).shape == shape
    assert aug.transform_matrix.shape == (1, f.ndim + 1, f.ndim + 1)
    assert aug.inverse(aug(x)).shape == shape
    assert aug(x.expand(2, *batched[1:])).shape == (2, *batched[1:])


def test_keepdim_of_a_dict():
    x = {
        "image": torch.rand(8, 8),
        "image_right": torch.rand(8, 8),
        "mask": torch.ones(8, 8),
        "boxes": torch.ones(2, 4),
    }
    shapes = {n: v.shape for n, v in x.items()}
    assert {n: v.shape for n, v in Augment(af.rotate(), keepdim=True)(x).items()} == shapes
    lifted = {"image": (1, 1, 8, 8), "image_right": (1, 1, 8, 8), "mask": (1, 8, 8), "boxes": (1, 2, 4)}
    assert {n: tuple(v.shape) for n, v in Augment(af.rotate())(x).items()} == lifted


# what can be asked of the last call


def test_transform_matrix_moves_points(x):
    aug = Augment(af.pipeline(af.affine(degrees=(-30, 30), translate=(-0.1, 0.1)), af.resize(size=(24, 20))))
    points = torch.tensor([[[3.0, 4.0], [10.0, 2.0]]]).expand(4, 2, 2)
    moved = aug({"image": x, "keypoints": points})["keypoints"]
    flat = torch.cat([points, torch.ones(4, 2, 1)], -1) @ aug.transform_matrix.mT
    torch.testing.assert_close(flat[..., :2], moved, atol=1e-4, rtol=0)


def test_a_step_without_leaves_has_a_matrix_per_sample(x):
    aug = Augment(af.center_crop(size=(8, 8)))
    aug(x)
    assert aug.transform_matrix.shape == (4, 3, 3)
    assert aug.transform_matrix[0].tolist() == [[1.0, 0.0, -4.0], [0.0, 1.0, -2.0], [0.0, 0.0, 1.0]]


def test_inverse_takes_points_back(x):
    aug = Augment(af.pipeline(af.affine(degrees=(-30, 30), scale=(0.9, 1.1)), af.resize(size=(24, 20))))
    points = torch.tensor([[[3.0, 4.0], [10.0, 2.0]]]).expand(4, 2, 2)
    back = aug.inverse(aug({"image": x, "keypoints": points}))
    assert back["image"].shape == x.shape
    torch.testing.assert_close(back["keypoints"], points, atol=1e-4, rtol=0)


def test_inverse_of_other_params_and_frames(x):
    aug = Augment(af.vflip(p=0.5))
    with pytest.raises(RuntimeError, match="nothing drawn yet"):
        aug.inverse(x)
    with pytest.raises(RuntimeError, match="nothing drawn yet"):
        _ = aug.transform_matrix
    y = aug(x)
    params = aug._params
    aug(torch.rand(2, 3, 6, 6))
    torch.testing.assert_close(aug.inverse(y, params=params), x)
    resize = Resize((6, 6))
    small = resize(x)
    resize(torch.rand(1, 3, 7, 7))
    assert resize.inverse(small, size=(12, 16)).shape == x.shape


# ranges


def test_parameters_are_the_objects_that_were_passed():
    low, high, bounds = (nn.Parameter(torch.tensor(v)) for v in (-5.0, 5.0, [0.9, 1.1]))
    aug = Augment(af.affine(degrees=af.Uniform(low, high), scale=af.Interval(bounds), shear=(-3, 3)))
    named = dict(aug.named_parameters())
    assert {n: id(p) for n, p in named.items()} == {
        "ranges.degrees/low": id(low),
        "ranges.degrees/high": id(high),
        "ranges.scale/bounds": id(bounds),
    }
    assert set(dict(aug.named_buffers())) == {"key", "ranges.shear/low", "ranges.shear/high"}


def test_a_tensor_that_requires_grad_becomes_a_parameter_on_its_memory():
    low = torch.tensor(-5.0, requires_grad=True)
    aug = Augment(af.rotate(degrees=af.Uniform(low, torch.tensor(5.0))))
    (parameter,) = aug.parameters()
    assert parameter.data_ptr() == low.data_ptr()
    fixed = Augment(af.rotate(degrees=torch.tensor(3.0, requires_grad=True)))
    assert [n for n, _ in fixed.named_parameters()] == ["ranges.degrees"]


def test_learnable_ranges():
    f = chain()
    names = lambda **kw: {n.removeprefix("ranges.") for n, _ in Augment(f, **kw).named_parameters()}  # noqa: E731
    degrees, scale = {"affine/degrees/low", "affine/degrees/high"}, {"affine/scale/low", "affine/scale/high"}
    assert names() == set()
    assert names(learnable=["affine/degrees"]) == degrees
    assert names(learnable="affine") == degrees | scale
    assert names(learnable=True) == degrees | scale | {"brightness/factor/low", "brightness/factor/high"}
    assert all(not t.requires_grad for t in tree_leaves(f.params))


def test_seeds_and_orders_are_no_ranges_to_learn():
    aug = Augment(
        af.pipeline(af.gaussian_noise(std=(0.0, 0.1)), af.color_jitter(brightness=(0.8, 1.2))), learnable=True
    )
    assert all("seed" not in n and "order" not in n for n, _ in aug.named_parameters())


def test_what_cannot_learn_says_so():
    with pytest.raises(ValueError, match="unknown leaf to learn"):
        Augment(chain(), learnable=["affine/degree"])
    with pytest.raises(ValueError, match="RelaxedBernoulli"):
        Augment(chain(), learnable=["hflip/gate"])
    with pytest.raises(ValueError, match="RelaxedBernoulli"):
        Augment(af.hflip(p=nn.Parameter(torch.tensor(0.5))))
    w = nn.Parameter(torch.tensor(5.0))
    with pytest.raises(ValueError, match="computed from other tensors"):
        Augment(af.rotate(degrees=af.Uniform(-w, w)))
    with pytest.raises(TypeError, match="not an augmentation"):
        Augment(af.hflip)  # type: ignore[arg-type]


def test_the_next_draw_follows_a_step_a_state_dict_and_a_move(x):
    aug = fixed([10.0, 20.0])
    aug(x, generator=af.key(0))
    first = aug._params["degrees"]
    first.sum().backward()
    torch.optim.SGD(aug.parameters(), lr=1.0).step()
    aug(x, generator=af.key(0))
    share = (first.detach() - 10) / 10
    low, high = 10 - (1 - share).sum(), 20 - share.sum()
    torch.testing.assert_close(aug._params["degrees"], low + (high - low) * share)
    aug.load_state_dict({"ranges.degrees/bounds": torch.tensor([30.0, 30.0])})
    aug(x)
    assert aug._params["degrees"].tolist() == [30.0] * 4
    aug.double()(x)
    assert aug._params["degrees"].dtype == torch.float64


def test_half_precision_ranges_are_drawn_in_single(x):
    aug = RandomRotation((-15, 15), p=1.0).half()
    assert aug.ranges.get_buffer("degrees/low").dtype == torch.float16
    assert aug(x.half()).dtype == torch.float16
    assert aug._params["degrees"].dtype == torch.float32


def test_loading_a_state_dict_leaves_other_modules_alone(x):
    one, other = Augment(af.rotate()), Augment(af.rotate())
    one.load_state_dict({k: v + 100 for k, v in one.state_dict().items()})
    other(x)
    assert other._params["degrees"].abs().max() <= 30
    assert af.rotate().params["degrees"].high.item() == 30


def test_functional_call_sees_other_ranges(x):
    aug = RandomRotation((-15, 15), p=1.0, learnable=True)
    key = af.key(0)

    def total(ranges):
        return torch.func.functional_call(aug, ranges, (x,), {"generator": key}).square().sum()

    ranges = {n: p.detach() for n, p in aug.named_parameters()}
    grads = torch.func.grad(total)(ranges)
    assert set(grads) == set(ranges)
    assert all(g.abs() > 1e-3 for g in grads.values())


class Positive(nn.Module):
    def forward(self, x):
        return nn.functional.softplus(x)

    def right_inverse(self, y):
        return y.expm1().log()


def test_a_parametrized_range_is_drawn(x):
    aug = Augment(af.brightness(factor=(0.5, 2.0)), learnable=True)
    nn.utils.parametrize.register_parametrization(aug.ranges, "factor/low", Positive())
    torch.testing.assert_close(aug.params["factor"].low, torch.tensor(0.5))
    aug(x).sum().backward()
    assert aug.ranges.parametrizations["factor/low"].original.grad is not None


TARGET = 25.0


def descend(aug, loss, bounds, steps=40):
    optimizer = torch.optim.Adam([bounds], lr=1.0)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(aug).backward()
        optimizer.step()


def test_a_range_learns_and_the_draws_follow(x):
    torch.manual_seed(0)
    bounds = nn.Parameter(torch.tensor([-10.0, 10.0]))
    aug = RandomAffine(degrees=bounds, p=1.0)
    wanted = Augment(af.rotate(degrees=TARGET))
    image = torch.nn.functional.avg_pool2d(torch.rand(8, 3, 26, 26), 5, 1, padding=2)

    def loss(aug):
        return (aug(image) - wanted(image)).square().mean()

    aug(image)
    start = aug._params["degrees"]
    descend(aug, loss, bounds)
    aug(image)
    drawn = aug._params["degrees"]
    assert (start - TARGET).abs().mean() > 20
    assert (drawn - TARGET).abs().mean() < 8
    assert drawn.min() >= bounds.min().item() - 1e-4
    assert drawn.max() <= bounds.max().item() + 1e-4


@pytest.mark.filterwarnings("ignore")
def test_the_same_descent_in_kornia_stays_put():
    kornia = pytest.importorskip("kornia.augmentation")
    bounds = nn.Parameter(torch.tensor([-10.0, 10.0]))
    aug = kornia.RandomAffine(degrees=bounds, p=1.0)
    image = torch.nn.functional.avg_pool2d(torch.rand(8, 3, 26, 26), 5, 1, padding=2)
    wanted = Augment(af.rotate(degrees=-TARGET))  # kornia's angle has the other sign here
    descend(aug, lambda aug: (aug(image) - wanted(image)).square().mean(), bounds)
    aug(image)
    assert (bounds - torch.tensor([-10.0, 10.0])).abs().max() > 5  # the Parameter went its way
    assert aug._params["angle"].abs().max() <= 10  # and the draws stayed


# copies


def test_state_dict_round_trip(x):
    one, other = RandomRotation((-15, 15), learnable=True), RandomRotation((-40, 40), learnable=True)
    assert set(one.state_dict()) == {"key", "ranges.degrees/low", "ranges.degrees/high", "ranges.gate/probs"}
    other.load_state_dict(one.state_dict())
    assert one(x, generator=af.key(1)).equal(other(x, generator=af.key(1)))


@pytest.mark.parametrize("learnable", [False, True])
def test_saved_pickled_and_copied_modules_draw_the_same(x, learnable, tmp_path):
    aug = Augment(chain(), learnable)
    y = aug(x, generator=af.key(1))
    torch.save(aug, tmp_path / "aug.pt")
    loaded = torch.load(tmp_path / "aug.pt", weights_only=False)
    for other in (loaded, pickle.loads(pickle.dumps(aug)), copy.deepcopy(aug)):
        assert other(x, params=other._params).equal(y)
        assert other(x, generator=af.key(1)).equal(y)
        assert len(list(other.parameters())) == len(list(aug.parameters()))
        assert not {id(p) for p in other.parameters()} & {id(p) for p in aug.parameters()}


def test_a_copy_learns_by_itself(x):
    aug = fixed([10.0, 10.0])
    aug(x)
    other = copy.deepcopy(aug)
    nn.init.constant_(other.ranges.get_parameter("degrees/bounds"), 20.0)
    for module, angle in ((aug, 10.0), (other, 20.0)):
        module(x)
        assert module._params["degrees"].tolist() == [angle] * 4


class Photos(Dataset):
    def __init__(self):
        self.augment = RandomRotation((-15, 15), p=1.0, keepdim=True)

    def __len__(self):
        return 4

    def __getitem__(self, i):
        self.augment(torch.rand(3, 8, 8))
        return self.augment._params["degrees"]


def test_workers_of_a_loader_draw_their_own():
    loader = DataLoader(Photos(), batch_size=2, num_workers=2, multiprocessing_context="spawn")
    drawn = torch.cat(list(loader)).flatten()
    assert drawn.unique().numel() == 4


def test_repr_shows_the_current_ranges():
    assert repr(Augment(af.rotate(degrees=(-15, 15)))) == "Augment(rotate, degrees=Uniform(low=-15.0, high=15.0))"
    assert repr(fixed([-5.0, 5.0])) == "RandomRotation(degrees=Interval(bounds=[-5.0, 5.0]))"
    assert "same_on_batch=True" in repr(Augment(af.hflip(), same_on_batch=True))


def test_ranges_rebuild_static_fields_and_plain_tensors():
    gate = af.RelaxedBernoulli(nn.Parameter(torch.tensor(0.0)), hard=False)
    ranges = Ranges(af.hflip(p=gate).params, af.hflip(p=gate).schema)
    assert ranges.tree()["gate"].hard is False
    f = af.rotate(degrees=torch.tensor(3.0))
    assert Ranges(f.params, f.schema).tree() == {"degrees": torch.tensor(3.0)}
