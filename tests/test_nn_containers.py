"""Containers in kornia's manner: foreign modules, choices, clips, patches, dispatchers, policies, custom classes."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

import augfn as af
import augfn_nn as A


def x_of(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


X = x_of(6, 3, 12, 16)
FLIP, UPSIDE = A.RandomHorizontalFlip, A.RandomVerticalFlip


# modules of others


def test_foreign_modules_see_images_alone():
    conv = nn.Conv2d(3, 3, 1)
    aug = A.AugmentationSequential(FLIP(p=1.0), conv, torch.sigmoid, data_keys=["input", "mask"])
    mask = (X[:, 0] * 4).long()
    y, m = aug(X, mask)
    assert torch.equal(y, torch.sigmoid(conv(X.flip(-1))))
    assert torch.equal(m, mask.flip(-1))
    assert conv.weight in set(aug.parameters())
    y.sum().backward()
    assert conv.weight.grad.abs().sum() > 0
    assert [type(c).__name__ for c in aug] == ["RandomHorizontalFlip", "Foreign", "Foreign"]
    assert not A.ImageSequential(conv).is_intensity_only()
    assert A.ImageSequential(conv, A.RandomGamma()).is_intensity_only(strict=False)
    assert not A.AugmentationSequential(FLIP()).is_intensity_only()


def test_a_sequential_of_torch_is_a_chain():
    aug = A.AugmentationSequential(nn.Sequential(FLIP(p=1.0), UPSIDE(p=1.0)), data_keys=["input", "mask"])
    y, m = aug(X, X)
    assert torch.equal(y, X.flip((-1, -2)))
    assert torch.equal(m, y)


def test_lists_of_modules():
    aug = A.AugmentationSequential(FLIP(p=1.0))
    aug.append(UPSIDE(p=1.0)).insert(0, A.RandomInvert(p=1.0))
    assert [n for n, _ in aug.named_children()] == ["RandomInvert_0", "RandomHorizontalFlip_1", "RandomVerticalFlip_2"]
    assert torch.equal(aug(X), (1 - X).flip((-1, -2)))
    assert isinstance(aug.pop(0), A.RandomInvert)
    assert torch.equal(aug(X), X.flip((-1, -2)))
    assert torch.equal(aug[:1](X), X.flip(-1))
    assert len(aug) == 2
    assert torch.equal(aug.extend([FLIP(p=1.0)])(X), X.flip(-2))


def test_flags_reach_the_modules():
    inner = A.AugmentationSequential(A.RandomRotation(9))
    aug = A.AugmentationSequential(FLIP(), inner, same_on_batch=True, keepdim=True)
    assert [aug[0].same_on_batch, inner[0].same_on_batch, aug[0].keepdim] == [True, True, True]
    aug(X)
    assert aug._params["hflip"]["gate"].unique().numel() == 1
    aug.same_on_batch = False
    assert not inner[0].same_on_batch
    aug(X)
    assert aug._params["pipeline"]["rotate"]["degrees"].unique().numel() == 6
    aug[0].keepdim = False
    assert not aug.keepdim


# choices


@pytest.mark.parametrize(("apply", "counts"), [(True, {4}), (2, {2}), ((3,), {3, 4}), ((1, 3), {1, 2, 3}), (6, {6})])
def test_a_choice_for_the_batch_in_random_order(apply, counts):
    aug = A.ImageSequential(*[A.RandomGamma((i, i)) for i in (1.0, 1.5, 2.0, 3.0)], random_apply=apply)
    orders, found = set(), set()
    for seed in range(40):
        y = aug(X, generator=af.key(seed))
        names = [*aug._params]
        assert torch.equal(y, aug(X, params=aug._params))
        assert torch.equal(y, aug(X, generator=af.key(seed)))
        orders.add(tuple(names))
        found.add(len(names))
    assert found == counts
    assert len(orders) > 3
    if apply == 6:
        assert any("~2" in n for order in orders for n in order)


def test_weights_of_a_choice():
    aug = A.ImageSequential(
        FLIP(p=1.0), UPSIDE(p=1.0), A.RandomInvert(p=1.0), random_apply=2, random_apply_weights=[1.0, 0.0, 1.0]
    )
    for seed in range(10):
        aug(X, generator=af.key(seed))
        assert {*aug._params} == {"hflip", "invert"}
    alone = A.ImageSequential(FLIP(p=1.0), UPSIDE(p=1.0), random_apply=1, random_apply_weights=torch.tensor([0.9, 0.1]))
    found = [alone(X, generator=af.key(seed)) is not None and next(iter(alone._params)) for seed in range(200)]
    assert 160 < found.count("hflip") < 198


def test_a_mix_acts_at_most_once():
    aug = A.ImageSequential(A.RandomMixUp(), FLIP(), random_apply=8)
    for seed in range(10):
        aug(X, generator=af.key(seed))
        assert sum(n.startswith("mixup") for n in aug._params) <= 1


def test_nested_choices_replay_and_are_undone():
    inner = A.AugmentationSequential(FLIP(p=1.0), UPSIDE(p=1.0), random_apply=1)
    aug = A.AugmentationSequential(
        inner, A.RandomRotation90((1, 1), p=1.0), random_apply=(1, 2), data_keys=["input", "keypoints"]
    )
    x, k = x_of(2, 1, 8, 8), torch.tensor([[[1.0, 2.0]]]).expand(2, 1, 2)
    for seed in range(12):
        y = aug(x, k, generator=af.key(seed))
        again = aug(x, k, params=copy.deepcopy(aug._params))
        assert all(torch.equal(a, b) for a, b in zip(y, again, strict=True))
        back = aug.inverse(*y)
        assert torch.equal(back[0], x)
        torch.testing.assert_close(back[1], k)
        flat = torch.cat([k, torch.ones(2, 1, 1)], -1) @ aug.transform_matrix.mT
        torch.testing.assert_close(flat[..., :2], y[1])


def test_a_choice_for_the_batch_says_where_it_cannot_be():
    aug = A.ImageSequential(FLIP(), UPSIDE(), random_apply=1)
    with pytest.raises(Exception, match="random_apply_per"):
        torch.compile(aug, fullgraph=True, backend="eager")(X)
    each = A.ImageSequential(FLIP(), UPSIDE(), random_apply=1, random_apply_per="sample")
    assert torch.compile(each, fullgraph=True, backend="eager")(X).shape == X.shape
    assert pickle.loads(pickle.dumps(aug))(X, generator=af.key(3)).equal(aug(X, generator=af.key(3)))


# params before a call


def test_parameters_of_a_shape():
    for aug in (A.RandomRotation(20), A.AugmentationSequential(FLIP(), A.RandomRotation(20), random_apply=1)):
        params = aug.forward_parameters(X.shape)
        y = aug(X, params=params)
        assert torch.equal(y, aug(X, params=params))
    same = A.RandomRotation(20, same_on_batch=True).forward_parameters(X.shape)
    assert same["degrees"].unique().numel() == 1
    aug = A.AugmentationSequential(FLIP(), A.RandomRotation(20))
    params = aug.forward_parameters(X.shape)
    matrix = aug.get_transformation_matrix(X, params)
    aug(X, params=params)
    assert torch.equal(matrix, aug.transform_matrix)


# values


def test_arrays_and_pictures_go_in_and_come_out():
    from PIL import Image

    array = (X.movedim(1, -1) * 255).round().to(torch.uint8).numpy()
    aug = A.AugmentationSequential(FLIP(p=1.0))
    y = aug(array)
    torch.testing.assert_close(y, torch.from_numpy(array).movedim(-1, 1).flip(-1) / 255)
    assert aug(Image.fromarray(array[0])).shape == (1, 3, 12, 16)
    assert aug([Image.fromarray(a) for a in array]).shape == X.shape
    assert isinstance(aug(X, output_type="numpy"), np.ndarray)
    assert aug(X, output_type="numpy").shape == array.shape
    assert np.array_equal(np.array(aug(array, output_type="pil")[0]), array[0][:, ::-1])
    with pytest.raises(ValueError, match="output_type"):
        aug(X, output_type="jax")


def test_boxes_of_four_corners_and_of_lists():
    corners = torch.tensor([[[1.0, 2.0], [5.0, 2.0], [5.0, 6.0], [1.0, 6.0]]])
    aug = A.AugmentationSequential(FLIP(p=1.0), data_keys=["input", "bbox"])
    want = corners * torch.tensor([-1.0, 1.0]) + torch.tensor([16.0, 0.0])
    many = aug(X, corners.expand(6, 1, 4, 2))[1]
    assert torch.equal(many, want.expand(6, 1, 4, 2))
    assert torch.equal(aug(X, corners.expand(6, 4, 2))[1], want.expand(6, 4, 2))
    lists = [corners] * 2 + [torch.cat([corners, corners + 1])] * 4
    out = aug(X, lists)[1]
    assert [v.shape for v in out] == [v.shape for v in lists]
    upright = A.AugmentationSequential(FLIP(p=1.0), data_keys=["input", "bbox_xyxy", "keypoints", "class"])
    boxes = [torch.tensor([[1, 2, 5, 6]]), torch.tensor([[1, 2, 5, 6], [0, 0, 4, 4]])]
    _, b, k, names = upright(X[:2], boxes, torch.tensor([[[3, 4]]]).expand(2, 1, 2), ["cat", "dog"])
    assert [v.tolist() for v in b] == [[[11.0, 2.0, 15.0, 6.0]], [[11.0, 2.0, 15.0, 6.0], [12.0, 0.0, 16.0, 4.0]]]
    assert k[0].tolist() == [[12.0, 4.0]]
    assert names == ["cat", "dog"]


def test_kornias_objects_and_numbers_of_data_keys():
    geometry = pytest.importorskip("kornia.geometry")
    boxes = geometry.boxes.Boxes.from_tensor(torch.tensor([[[1.0, 2.0, 5.0, 6.0]]]).expand(2, 1, 4), mode="xyxy")
    points = geometry.keypoints.Keypoints(torch.tensor([[[3.0, 4.0]]]).expand(2, 1, 2))
    aug = A.AugmentationSequential(FLIP(p=1.0), data_keys=[0, 2, 5])
    _, b, k = aug(X[:2], boxes, points)
    assert type(b) is type(boxes)
    assert b.data.shape == boxes.data.shape
    assert k.data[0].tolist() == [[12.0, 4.0]]


def test_masks_in_lists_and_for_all():
    aug = A.AugmentationSequential(FLIP(p=1.0), data_keys=["input", "mask"])
    masks = [x_of(1, 3, 12, 16), x_of(1, 2, 12, 16)]
    out = aug(X[:2], masks)[1]
    assert all(torch.equal(a, b.flip(-1)) for a, b in zip(out, masks, strict=True))
    one = aug(X, x_of(1, 1, 12, 16))[1]
    assert one.shape == (6, 1, 12, 16)


def test_names_that_are_not_known_pass_where_asked():
    sample = {"image": X, "filename": ["a"] * 6, "meta": 3}
    out = A.AugmentationSequential(FLIP(p=1.0), data_keys=None, unknown="pass")(sample)
    assert torch.equal(out["image"], X.flip(-1))
    assert (out["filename"], out["meta"]) == (["a"] * 6, 3)


# clips


@pytest.mark.parametrize("layout", ["BTCHW", "BCTHW"])
@pytest.mark.parametrize("shared", [True, False])
def test_clips(layout, shared):
    clip = x_of(2, 4, 3, 8, 8)
    given = clip if layout == "BTCHW" else clip.transpose(1, 2)
    aug = A.VideoSequential(
        A.RandomBrightnessShift((-0.3, 0.3), clip_output=False), data_format=layout, same_on_frame=shared
    )
    y = aug(given)
    assert y.shape == given.shape
    moved = (y - given) if layout == "BTCHW" else (y - given).transpose(1, 2)
    per_frame = moved.flatten(2).mean(-1)
    assert (per_frame[0].std() < 1e-6) == shared
    assert torch.equal(aug(given, params=aug._params), y)


@pytest.mark.parametrize("shared", [True, False])
def test_clips_with_all_targets(shared):
    aug = A.AugmentationSequential(
        A.VideoSequential(FLIP(), same_on_frame=shared), data_keys=["input", "mask", "bbox_xyxy", "keypoints", "class"]
    )
    clip, mask = x_of(8, 4, 3, 8, 8), (x_of(8, 4, 1, 8, 8) * 3).long()
    boxes, points = torch.tensor([1.0, 2, 4, 5]).expand(8, 4, 1, 4), torch.tensor([2.0, 3.0]).expand(8, 4, 1, 2)
    y, m, b, k, c = aug(clip, mask, boxes, points, torch.arange(8))
    flipped = (y == clip.flip(-1)).flatten(2).all(-1)
    assert (flipped.all(1) | ~flipped.any(1)).all() == shared
    for i, t in ((0, 0), (3, 2), (7, 3)):
        assert torch.equal(m[i, t], mask[i, t].flip(-1) if flipped[i, t] else mask[i, t])
        assert b[i, t, 0].tolist() == ([4.0, 2.0, 7.0, 5.0] if flipped[i, t] else [1.0, 2.0, 4.0, 5.0])
        assert k[i, t, 0].tolist() == ([5.0, 3.0] if flipped[i, t] else [2.0, 3.0])
    assert torch.equal(c, torch.arange(8))
    back = aug.inverse(y, m, b, k, c)
    assert torch.equal(back[0], clip)
    torch.testing.assert_close(back[2], boxes)


def test_clips_that_cannot_be():
    with pytest.raises(ValueError, match="no clip"):
        A.VideoSequential(FLIP())(X)
    with pytest.raises(ValueError, match="several layouts"):
        A.AugmentationSequential(A.VideoSequential(FLIP()), A.VideoSequential(FLIP(), data_format="BCTHW"))


# patches


def test_a_module_for_each_patch():
    aug = A.PatchSequential(*[A.RandomGamma((g, g)) for g in (1.0, 2.0, 3.0, 4.0)], grid_size=(2, 2))
    y = aug(X)
    torch.testing.assert_close(y[..., :6, 8:], X[..., :6, 8:] ** 2)
    torch.testing.assert_close(y[..., 6:, 8:], X[..., 6:, 8:] ** 4)
    assert torch.equal(aug(X, params=aug._params), y)


def test_all_modules_on_each_patch_and_some():
    every = A.PatchSequential(
        A.RandomBrightnessShift((-0.2, 0.2), clip_output=False), grid_size=(3, 4), patchwise_apply=False
    )
    moved = every.extract_patches(every(X) - X).flatten(2)
    assert (moved.std(-1) < 1e-6).all()
    assert moved.mean(-1).std() > 0.05
    same = A.PatchSequential(
        A.RandomBrightnessShift((-0.2, 0.2), clip_output=False),
        grid_size=(3, 4),
        patchwise_apply=False,
        same_on_batch=True,
    )
    moved = same.extract_patches(same(X) - X).flatten(2).mean(-1)
    torch.testing.assert_close(moved, moved[:1].expand_as(moved), atol=1e-6, rtol=0)
    some = A.PatchSequential(A.RandomInvert(p=1.0), A.RandomGamma((2.0, 2.0)), grid_size=(2, 2), random_apply=1)
    y = some(X)
    a, b, c = (some.extract_patches(v) for v in (y, 1 - X, X**2))
    inverted, squared = (a == b).flatten(2).all(-1), torch.isclose(a, c).flatten(2).all(-1)
    assert (inverted ^ squared).all()
    assert 0 < inverted.sum() < inverted.numel()
    assert torch.equal(some(X, params=some._params), y)
    chosen = A.PatchSequential(A.RandomInvert(p=1.0), A.RandomGamma((2.0, 2.0)), patchwise_apply=False, random_apply=1)
    assert torch.equal(chosen(X), chosen(X, params=chosen._params))
    with pytest.raises(ValueError, match="4 modules, one for each patch"):
        A.PatchSequential(A.RandomInvert(), grid_size=(2, 2))


def test_patches_in_a_container_beside_masks():
    patches = A.PatchSequential(A.RandomInvert(p=1.0), grid_size=(2, 2), patchwise_apply=False)
    aug = A.AugmentationSequential(FLIP(p=1.0), patches, data_keys=["input", "mask"])
    y, m = aug(X, X)
    torch.testing.assert_close(y, 1 - X.flip(-1))
    assert torch.equal(m, X.flip(-1))


# lists of containers, policies, discriminators


def test_dispatchers():
    each = [
        A.AugmentationSequential(FLIP(p=1.0), data_keys=["input", "mask"]),
        A.AugmentationSequential(UPSIDE(p=1.0), data_keys=["input", "mask"]),
    ]
    (a, _), (b, _) = A.ManyToManyAugmentationDispather(*each)((X, X), (X, X))
    assert torch.equal(a, X.flip(-1))
    assert torch.equal(b, X.flip(-2))
    assert len(A.ManyToOneAugmentationDispather(*each)(X, X)) == 2
    with pytest.raises(ValueError, match="2 inputs"):
        A.ManyToManyAugmentationDispather(*each)((X, X))
    with pytest.raises(ValueError, match="strict=False"):
        A.ManyToOneAugmentationDispather(each[0], A.AugmentationSequential(FLIP()))


def test_policies_are_the_functions():
    for module, f in (
        (A.AutoAugment(), af.auto_augment()),
        (A.RandAugment(2, 10), af.rand_augment(2, 10)),
        (A.TrivialAugment(), af.trivial_augment()),
    ):
        assert torch.equal(module(X, generator=af.key(0)), f(X, None, af.key(0))[0])


def test_a_share_of_images_follows_the_discriminator():
    aug = A.AdaptiveDiscriminatorAugmentation(
        A.RandomInvert(p=1.0), initial_p=0.5, adjustment_speed=0.1, update_every=2, ema_lambda=0.5
    )
    x = x_of(200, 1, 2, 2)
    y = aug(x)
    changed = (y != x).flatten(1).any(1)
    torch.testing.assert_close(y[changed], 1 - x[changed])
    assert 70 < changed.sum() < 130
    for acc, p in ((1.0, 0.5), (1.0, 0.4), (1.0, 0.4), (1.0, 0.5)):
        aug(x, real_acc=acc)
        assert float(aug.p) == pytest.approx(p)
    other = A.AdaptiveDiscriminatorAugmentation(A.RandomInvert(p=1.0))
    other.load_state_dict(aug.state_dict())
    assert float(other.p) == pytest.approx(0.5)
    assert torch.equal(aug(x, params=aug._params), aug(x, params=aug._params))
    y, m = A.AdaptiveDiscriminatorAugmentation(FLIP(p=1.0), initial_p=1.0, data_keys=["input", "mask"])(X, X)
    assert torch.equal(m, X.flip(-1))
    assert torch.equal(y, m)


# mixes by position


def test_labels_of_a_mix():
    labels, aug = torch.arange(6), A.RandomMixUp(p=0.7)
    y, pairs = aug(X, labels)
    assert pairs.shape == (6, 3)
    share = pairs[:, 2, None, None, None]
    torch.testing.assert_close(y, (1 - share) * X + share * X[pairs[:, 1].long()])
    assert torch.equal(pairs[:, 0], labels.float())
    _, soft = A.RandomMixUp(num_classes=6)(X, labels)
    torch.testing.assert_close(soft.sum(-1), torch.ones(6))
    assert soft.shape == (6, 6)
    y, mask = A.RandomCutMix(data_keys=["input", "mask"])(X, (X[:, 0] * 5).long())
    assert mask.shape == (6, 12, 16)
    assert A.RandomMixUp()(X).shape == X.shape
    with pytest.raises(ValueError, match="data keys disagree"):
        aug(X, labels, data_keys=["input"])


def test_transplantation_takes_a_label_that_is_there():
    mask = torch.zeros(2, 12, 16, dtype=torch.long)
    mask[0, :6], mask[1, 6:, :8], mask[1, 6:, 8:] = 7, 3, 200
    seen = set()
    for seed in range(20):
        aug = A.RandomTransplantation(p=1.0)
        _, m = aug(X[:2], mask, generator=af.key(seed))
        assert (m[1, :6] == 7).all()
        seen |= {*m[0].unique().tolist()}
    assert seen == {0, 3, 7, 200}
    _, m = A.RandomTransplantation(excluded_labels=(0, 7, 3, 200), p=1.0)(X[:2], mask)
    assert torch.equal(m, mask)


def test_mosaics():
    boxes = torch.tensor([[[1.0, 2.0, 5.0, 6.0]]]).expand(6, 1, 4)
    y, b = A.RandomMosaic((10, 20), data_keys=["input", "bbox_xyxy"], p=0.5)(X, boxes)
    assert (y.shape, b.shape) == ((6, 3, 10, 20), (6, 4, 4))
    assert A.RandomMosaic(p=1.0)(X).shape == X.shape
    assert A.RandomMosaic((40, 50), p=1.0)(X).shape == (6, 3, 40, 50)


# custom classes


class Shift(A.GeometricAugmentationBase2D):
    """By 1 to 3 pixels to the right."""

    def generate_parameters(self, shape):
        return {"by": torch.randint(1, 4, (shape[0],)).float()}

    def compute_transformation(self, input, params, flags):
        matrix = self.identity_matrix(input).clone()
        matrix[:, 0, 2] = params["by"].to(matrix)
        return matrix

    def apply_transform(self, input, params, flags, transform):
        rows = [
            torch.cat([x.new_zeros(*x.shape[:-1], n), x[..., :-n]], -1)
            for x, n in zip(input, params["by"].int().tolist(), strict=True)
        ]
        return torch.stack(rows)


class Add(A.IntensityAugmentationBase2D):
    def __init__(self, low, high, p=1.0):
        super().__init__(p)
        self._param_generator = A.random_generator.PlainUniformGenerator(((low, high), "value", None, None))
        self.flags = {"sign": -1.0}

    def apply_transform(self, input, params, flags, transform=None):
        return input + flags["sign"] * params["value"].reshape(-1, 1, 1, 1).to(input)


def test_custom_geometry_moves_all_targets():
    mask, points = (X[:, 0] * 5).long(), torch.tensor([[[2.0, 3.0]]]).expand(6, 1, 2)
    aug = A.AugmentationSequential(Shift(p=0.5), A.RandomInvert(p=0.5), data_keys=["input", "mask", "keypoints"])
    torch.manual_seed(1)
    y, m, k = aug(X, mask, points)
    by = (k[:, 0, 0] - 2).int().tolist()
    assert {0} < {*by}
    for i, n in enumerate(by):
        assert torch.equal(m[i, :, n:], mask[i, :, : 16 - n])
    again = aug(X, mask, points, params=aug._params)
    assert all(torch.equal(a, b) for a, b in zip((y, m, k), again, strict=True))
    alone = Shift(p=0.5)
    moved = alone({"image": X, "keypoints": points})["keypoints"]
    torch.testing.assert_close(moved - points, alone.transform_matrix[:, None, :2, 2], atol=1e-5, rtol=0)
    assert alone(X[0]).shape == (1, 3, 12, 16)


def test_custom_values_are_drawn_for_each_image():
    aug, state = Add(0.1, 0.3), torch.get_rng_state()
    y = aug(X, generator=af.key(0))
    assert torch.equal(state, torch.get_rng_state())
    values = (X - y).flatten(1)
    assert (values.std(1) < 1e-6).all()
    assert values.mean(1).std() > 0.01
    assert 0.099 < values.min() < values.max() < 0.301
    assert torch.equal(y[2:3], aug(X[2:3], generator=af.split(af.key(0), 6)[2:3]))
    assert torch.equal(copy.deepcopy(aug)(X, generator=af.key(0)), y)
    shared = Add(0.1, 0.3)
    shared.same_on_batch = True
    assert (X - shared(X)).flatten(1).mean(1).std() < 1e-6
    with pytest.raises(NotImplementedError, match="no apply_transform"):
        A.IntensityAugmentationBase2D(p=1.0)(X)
    with pytest.raises(Exception, match="cannot be compiled"):
        torch.compile(aug, fullgraph=True, backend="eager")(X)


# what readers found


def test_patches_draw_what_depends_on_the_frames_dimensions() -> None:
    x = torch.rand(2, 3, 64, 64)
    aug = A.PatchSequential(A.RandomErasing((0.1, 0.2), p=1.0), grid_size=(2, 2), patchwise_apply=False)
    y = aug(x)
    assert torch.equal(aug(x, params=aug._params), y)
    for patch in y.unflatten(-1, (2, 32)).unflatten(-3, (2, 32)).movedim(-4, 0).movedim(-2, 0).flatten(0, 1):
        assert 0.05 < float((patch == 0).float().mean()) < 0.2


def test_labels_in_lists_are_mixed():
    aug = A.AugmentationSequential(A.RandomMixUp((0.3, 0.3), num_classes=4), data_keys=["input", "label"])
    x = x_of(4, 1, 4, 4)
    want = aug(x, torch.arange(4), generator=af.key(0))[1]
    for labels in ([0, 1, 2, 3], [*torch.eye(4)]):
        assert torch.equal(aug(x, labels, generator=af.key(0))[1], want)
    assert A.RandomMixUp()(x, [0, 1, 2, 3])[1].shape == (4, 3)
    with pytest.raises(ValueError, match="num_classes"):
        A.RandomPatchMix()(x, torch.arange(4))  # whose partners are several
    with pytest.raises(ValueError, match="labels='kornia'"):
        A.RandomMixUp(labels="kornia")(x, torch.eye(4))


def test_a_choice_of_none():
    inner = A.AugmentationSequential(FLIP(p=1.0), A.RandomInvert(p=1.0), random_apply=(0, 2))
    for aug in (inner, A.AugmentationSequential(inner, UPSIDE(p=0.0))):
        for seed in range(12):
            y = aug(X, generator=af.key(seed))
            assert torch.equal(aug(X, params=aug._params), y)


def test_other_modules_beside_a_choice():
    aug = A.AugmentationSequential(A.RandomInvert(p=1.0), FLIP(p=1.0), random_apply=True)
    aug.pop()
    aug(X)
    assert list(aug._params) == ["invert"]
    aug.extend([FLIP(p=1.0), UPSIDE(p=1.0)])
    aug(X)
    assert len(aug._params) == 3
    weighted = A.AugmentationSequential(
        A.RandomInvert(p=1.0), FLIP(p=1.0), UPSIDE(p=1.0), random_apply=1, random_apply_weights=[1.0, 0.0, 2.0]
    )
    assert torch.equal(weighted[1:](X), X.flip(-2))
    weighted[1:].reseed(5)
    assert not torch.equal(weighted[1:].key, af.key(5))
    del weighted[2]
    assert torch.equal(weighted(X), 1 - X)
    with pytest.raises(ValueError, match="random_apply_weights of other modules"):
        weighted.append(FLIP())
    with pytest.raises(AttributeError, match="when a container is made"):
        aug.random_apply = 1


def test_modules_that_are_set_act():
    aug = A.AugmentationSequential(FLIP(p=1.0))
    aug.add_module("up", UPSIDE(p=1.0))
    assert torch.equal(aug(X), X.flip((-1, -2)))
    aug.other = A.RandomInvert(p=1.0)
    assert torch.equal(aug(X), 1 - X.flip((-1, -2)))
    aug[0] = nn.Identity()
    assert torch.equal(aug(X), 1 - X.flip(-2))
    aug[0].module = nn.Hardtanh(0.0, 0.5)
    assert torch.equal(aug(X), 1 - X.clamp(0.0, 0.5).flip(-2))


def test_custom_geometry_is_undone():
    aug = A.AugmentationSequential(FLIP(p=1.0), Shift(p=0.5), data_keys=["input", "keypoints"])
    points = torch.tensor([[[6.0, 3.0]]]).expand(6, 1, 2)
    y, k = aug(X, points)
    flat = torch.cat([points, torch.ones(6, 1, 1)], -1) @ aug.transform_matrix.mT
    torch.testing.assert_close(flat[..., :2], k)
    back, at = aug.inverse(y, k)
    torch.testing.assert_close(at, points)
    torch.testing.assert_close(back[..., 3:], X[..., 3:], atol=1e-5, rtol=0)
    with pytest.raises(TypeError, match="methods for other targets"):
        type("Masked", (A.IntensityAugmentationBase2D,), {"apply_transform_mask": lambda *a: None})
    with pytest.raises(TypeError, match="methods of kornia's"):
        type("Mine", (A.RandomHorizontalFlip,), {"apply_transform": lambda *a: None})


def test_classes_of_kornia_that_move_are_refused():
    kornia = pytest.importorskip("kornia.augmentation")
    with pytest.raises(TypeError, match=r"augfn_nn.RandomHorizontalFlip"):
        A.AugmentationSequential(kornia.RandomHorizontalFlip(), data_keys=["input", "mask"])
    assert A.AugmentationSequential(kornia.RandomInvert(p=1.0))(X).allclose(1 - X)


def test_eval_is_the_same_alone_and_nested():
    for aug in (FLIP(p=1.0, p_batch=0.5), A.AugmentationSequential(FLIP(p=1.0), A.RandomInvert(p=1.0), random_apply=1)):
        assert torch.equal(aug.eval()(X), X)
        assert torch.equal(A.AugmentationSequential(aug, A.RandomInvert(p=1.0)).eval()(X), 1 - X)


def test_a_clip_without_its_images_and_before_a_call():
    for shared in (True, False):
        clips = A.VideoSequential(FLIP(), same_on_frame=shared)
        aug = A.AugmentationSequential(clips, data_keys=["input", "keypoints"])
        clip, points = x_of(6, 3, 1, 8, 8), torch.tensor([2.0, 3.0]).expand(6, 3, 1, 2)
        _, k = aug(clip, points)
        torch.testing.assert_close(aug.inverse(k, data_keys=["keypoints"]), points)
        assert torch.equal(aug(points, params=aug._params, data_keys=["keypoints"]), k)
        params = clips.forward_parameters(clip.shape)
        assert params["hflip"]["gate"].shape == ((6,) if shared else (18,))
        y = clips(clip, params=params)
        assert (y == clip.flip(-1)).flatten(2).all(-1).all(1).any() or not shared
    grey = A.AugmentationSequential(
        A.VideoSequential(A.RandomGrayscale(p=1.0), data_format="BCTHW"), data_keys=["video"]
    )
    y = grey(x_of(2, 3, 4, 8, 8))
    assert (y.std(1) < 1e-6).all()
    mix = A.VideoSequential(A.RandomMixUp((0.5, 0.5)), same_on_frame=False)
    _, soft = A.AugmentationSequential(mix, data_keys=["input", "label"])(x_of(2, 3, 1, 8, 8), torch.eye(2))
    assert soft.shape == (2, 3, 2)


def test_pictures_of_a_palette():
    from PIL import Image

    red = Image.new("RGB", (4, 4), (255, 0, 0)).convert("P")
    assert A.AugmentationSequential(FLIP(p=1.0))(red)[0, :, 0, 0].tolist() == [1.0, 0.0, 0.0]
    array = np.zeros((2, 8, 8, 3), np.uint8)
    aug = A.AugmentationSequential(FLIP(p=1.0), data_keys=["input", "bbox", "mask"])
    _, b, m = aug(
        array, torch.tensor([[1.0, 2.0], [5.0, 2.0], [5.0, 6.0], [1.0, 6.0]]).expand(2, 4, 2), torch.ones(1, 1, 8, 8)
    )
    assert (b.shape, m.shape) == ((2, 4, 2), (2, 1, 8, 8))
    assert aug(array, data_keys=["input"], output_type="numpy").shape == array.shape


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (A.ImageSequential, {"if_unsupported_ops": "bogus"}),
        (A.VideoSequential, {"if_unsupported_ops": "bogus"}),
        (A.VideoSequential, {"data_format": "BTHWC"}),
        (A.AugmentationSequential, {"unknown": "skip"}),
    ],
)
def test_a_word_that_there_is_not_is_refused(kind, given):
    with pytest.raises(ValueError, match=next(iter(given))):
        kind(FLIP(), **given)
    with pytest.raises(ValueError, match="RandomMixUp: labels"):
        A.RandomMixUpV2(labels="bogus")(X, torch.arange(6))
