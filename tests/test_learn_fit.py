"""Params that make one image of another: answers that are known, on photos."""

import pytest
import torch
from torch.nn.functional import interpolate

import augfn as af
from augfn.learn import fit
from augfn.learn.matching import squared_error

K = af.key(0)
CORNERS = torch.tensor([[16.0, 16.0], [48.0, 16.0], [16.0, 48.0], [48.0, 48.0]])


@pytest.fixture(scope="module")
def photos():
    from skimage import data

    found = [torch.from_numpy(getattr(data, n)()).float() / 255 for n in ("astronaut", "coffee", "chelsea")]
    square = [x[: min(x.shape[:2]), : min(x.shape[:2])].permute(2, 0, 1)[None] for x in found]
    return torch.cat([interpolate(x, (64, 64), mode="area") for x in square])


def pixels(f, x, found, truth):
    """The mean distance of points that are moved by both."""
    points = CORNERS.expand(len(x), -1, -1)
    a, b = (f({"image": x, "keypoints": points}, p)[0]["keypoints"] for p in (found, truth))
    return (a - b).norm(dim=-1).mean(1)


def test_registration_to_a_part_of_a_pixel(photos):
    f = af.affine(degrees=(-40, 40), translate=((-0.2, 0.2), (-0.2, 0.2)), scale=(0.7, 1.4))
    truth = {
        "degrees": torch.tensor([-25.0, 12.0, 30.0]),
        "translate": torch.tensor([[0.1, -0.12], [-0.15, 0.05], [0.02, 0.1]]),
        "scale": torch.tensor([0.8, 1.2, 1.0]),
    }
    found, losses = fit(f, photos, f(photos, truth)[0], K)
    assert pixels(f, photos, found, truth).max() < 0.1
    assert losses.shape == (240, 3)
    assert (losses[-1] < 0.1 * losses[0]).all()


def test_one_start_of_one_level_may_miss_where_several_of_a_pyramid_do_not(photos):
    f = af.rotate(degrees=(-180, 180))
    truth = {"degrees": torch.tensor([150.0, -120.0, 100.0])}
    target = f(photos, truth)[0]
    single = fit(f, photos, target, levels=1, starts=1, steps=40)[0]
    several = fit(f, photos, target, K, starts=12, steps=40)[0]
    assert pixels(f, photos, single, truth).max() > 5
    assert pixels(f, photos, several, truth).max() < 0.1


def test_gamma_and_gain_are_recovered(photos):
    f = af.pipeline(af.gamma(gamma=(0.4, 2.5), clip="none"), af.brightness(factor=(0.5, 2.0), clip="none"))
    truth = {"gamma": {"gamma": torch.tensor([0.6, 1.4, 2.2])}, "brightness": {"factor": torch.tensor([0.6, 0.9, 1.7])}}
    found, losses = fit(f, photos, f(photos, truth)[0], K, levels=2, starts=4, steps=150)
    torch.testing.assert_close(found["gamma"]["gamma"], truth["gamma"]["gamma"], rtol=0.02, atol=0)
    torch.testing.assert_close(found["brightness"]["factor"], truth["brightness"]["factor"], rtol=0.02, atol=0)
    assert losses[-1].max() < 1e-4


def test_colours_are_transferred_between_photos_with_a_loss_of_ones_own(photos):
    """The means of the channels of another photo, which shows something else."""
    f = af.rgb_shift(shift=(-0.5, 0.5), clip="none")
    means = lambda y, t, seen: (y.mean((2, 3)) - t.mean((2, 3))).square().sum(1)  # noqa: E731
    target = photos.roll(1, 0)
    found, _ = fit(f, photos, target, loss=means, levels=1, starts=1)
    torch.testing.assert_close(f(photos, found)[0].mean((2, 3)), target.mean((2, 3)), rtol=0, atol=0.01)


def test_a_result_is_inside_its_ranges_where_the_best_is_outside(photos):
    f = af.brightness(factor=(0.8, 1.2), clip="none")
    found, _ = fit(f, photos, photos * 2, levels=1, starts=1, steps=40)
    assert ((found["factor"] >= 0.8) & (found["factor"] <= 1.2)).all()
    torch.testing.assert_close(found["factor"], torch.full((3,), 1.2), rtol=0, atol=5e-3)


def test_images_do_not_see_each_other(photos):
    f, keys = af.rotate(degrees=(-30, 30)), af.split(K, 3)
    target = af.rotate()(photos, {"degrees": torch.tensor([10.0, -20.0, 5.0])})[0]
    settings = {"starts": 2, "steps": 10, "levels": 2}
    whole, losses = fit(f, photos, target, keys, **settings)
    alone, lost = fit(f, photos[1:2], target[1:2], keys[1:2], **settings)
    torch.testing.assert_close(whole["degrees"][1:2], alone["degrees"], rtol=0, atol=1e-3)
    torch.testing.assert_close(losses[:, 1:2], lost, rtol=1e-3, atol=1e-6)


def test_gates_are_found_among_the_starts(photos):
    f = af.pipeline(af.hflip(p=0.5), af.brightness(factor=(0.5, 1.5), clip="none"))
    found, losses = fit(f, photos, photos.flip(-1) * 0.8, K, starts=8, levels=1, steps=60)
    assert found["hflip"]["gate"].tolist() == [1.0, 1.0, 1.0]
    torch.testing.assert_close(found["brightness"]["factor"], torch.full((3,), 0.8), rtol=0, atol=1e-2)
    assert losses[-1].max() < 1e-3


def test_what_jumps_alone_is_drawn_and_compared(photos):
    found, losses = fit(af.hflip(p=0.5), photos, photos.flip(-1), K, starts=8, steps=1)
    assert found["gate"].tolist() == [1.0, 1.0, 1.0]
    assert losses[-1].max() == 0


def test_volumes_and_modules():
    import augfn_nn

    axes = torch.meshgrid(*[torch.linspace(-1, 1, n) for n in (12, 14, 16)], indexing="ij")
    x = torch.exp(-3 * sum((a - c) ** 2 for a, c in zip(axes, (0.2, -0.3, 0.1), strict=True)))[None, None]
    f = af.translate3d(translate=((-0.2, 0.2),) * 3)
    truth = {"translate": torch.tensor([[0.1, -0.05, 0.08]])}
    found, _ = fit(augfn_nn.Augment(f), x, f({"volume": x}, truth)[0]["volume"], levels=1, starts=1)
    torch.testing.assert_close(found["translate"], truth["translate"], rtol=0, atol=5e-3)


def test_what_is_not_seen_is_not_counted():
    y, seen = torch.zeros(1, 1, 2, 2), torch.tensor([1.0, 1.0, 1.0, 0.0]).reshape(1, 1, 2, 2)
    target = torch.tensor([0.3, 0.3, 0.3, 9.0]).reshape(1, 1, 2, 2)
    assert squared_error(y, target, torch.ones_like(seen)).item() == pytest.approx(target.square().mean().item())
    flat = torch.full_like(target, 0.3)
    assert squared_error(y, flat, seen).item() == pytest.approx(0.09 * 0.75 / 0.7525)
    nothing = squared_error(y, target, torch.zeros_like(seen))
    assert nothing.item() == pytest.approx(2 * target.var(correction=0).item())


def test_inputs_stay_as_they_are(photos):
    x = photos.clone().requires_grad_()
    with torch.no_grad():
        found, losses = fit(af.brightness(factor=(0.5, 2.0)), x, photos, levels=1, starts=1, steps=2)
    assert x.grad is None
    assert not found["factor"].requires_grad
    assert not losses.requires_grad
    assert x.equal(photos)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"source": torch.zeros(1, 1, 8, 8, dtype=torch.uint8)}, TypeError, "source"),
        ({"target": torch.rand(2, 1, 8, 8)}, ValueError, "targets"),
        ({"source": torch.rand(1, 8, 8), "target": torch.rand(1, 8, 8)}, ValueError, "one batch"),
        ({"target": torch.rand(1, 1, 6, 6)}, ValueError, "the augmented source"),
        ({"target": torch.rand(1, 1, 6, 6), "levels": 2}, ValueError, "source and target"),
        ({"target": torch.full((1, 1, 8, 8), torch.nan)}, ValueError, "64 not finite"),
        ({"source": torch.full((1, 1, 8, 8), torch.inf)}, ValueError, "fit: source"),
        ({"levels": 4}, ValueError, "levels"),
        ({"steps": 0}, ValueError, "positive numbers"),
        ({"lr": 0.0}, ValueError, "positive numbers"),
        ({"starts": 2, "key": None}, ValueError, "a key is needed"),
        ({"augment": af.brightness(factor=2.0)}, ValueError, "nothing to search"),
        ({"augment": af.mixup()}, ValueError, "mixes"),
        ({"loss": lambda y, t, seen: (y - t).mean()}, ValueError, "one number for each image"),
        ({"loss": lambda y, t, seen: (y - t).detach().square().mean((1, 2, 3))}, ValueError, "without a gradient"),
    ],
)
def test_bad_input_is_named(change, error, words):
    x = torch.rand(1, 1, 8, 8)
    given = {"augment": af.rotate(), "source": x, "target": x, "key": K, "levels": 1, "starts": 1, "steps": 1} | change
    with pytest.raises(error, match=words):
        fit(**given)


def test_a_step_across_an_end_comes_back():
    """The first step leaves the cube; were it clamped there, no gradient would lead back."""
    x = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    f = af.brightness(factor=(0.5, 1.5), clip="none")
    found, _ = fit(f, x, f(x, {"factor": torch.tensor(1.3)})[0], levels=1, starts=1, steps=80, lr=0.6)
    assert found["factor"].item() == pytest.approx(1.3, abs=0.01)
