import copy
import cProfile
import pickle

import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_leaves, tree_map

import augfn as af
from augfn_nn import (
    Augment,
    AugmentationSequential,
    ColorJitter,
    Normalize,
    RandomAffine,
    RandomElasticTransform,
    RandomGaussianNoise,
    RandomHorizontalFlip,
    RandomHorizontalFlip3D,
    RandomRotation,
    RandomVerticalFlip,
    Resize,
)


def flips(**keywords):
    return AugmentationSequential(RandomHorizontalFlip(p=1.0), **keywords)


def turns(**keywords):
    return AugmentationSequential(RandomRotation(30), **keywords)


def same(a, b):
    for x, y in zip(tree_leaves(a), tree_leaves(b), strict=True):
        assert x.equal(y)


# a training loop


def test_a_training_loop(images, masks, tmp_path):
    path = tmp_path / "aug.pt"
    aug = AugmentationSequential(
        RandomAffine(degrees=(-15, 15), scale=(0.9, 1.1), p=0.8),
        ColorJitter(brightness=0.2, contrast=0.2, p=0.5),
        data_keys=["input", "mask"],
    )
    images.requires_grad_()
    aug_images, aug_masks = aug(images, masks)  # inside the training loop; gradients flow through it  # fmt: skip
    again = aug(images, masks, params=aug._params)  # identical  # fmt: skip
    aug_images.sum().backward()
    assert images.grad.abs().sum() > 0
    same(again, [aug_images, aug_masks])
    assert aug_masks.dtype == masks.dtype
    out = aug(images, data_keys=["input"])  # other keys for one call  # fmt: skip
    assert out.shape == images.shape
    out = aug({"image": images, "mask": masks})  # dict in, dict out  # fmt: skip
    assert list(out) == ["image", "mask"]
    RandomAffine(
        degrees=torch.nn.Parameter(torch.tensor([-10.0, 10.0]))
    )  # learns: after optimizer.step() the next draw follows
    torch.save(aug, path); torch.load(path, weights_only=False); aug.state_dict()  # fmt: skip  # noqa: E702


# one fused pipeline


def test_it_is_the_pipeline_of_its_children(images, masks):
    fs = af.hflip(p=0.5), af.affine(degrees=(-15, 15)), af.brightness(factor=(0.8, 1.2))
    aug = AugmentationSequential(*fs[:1], *map(Augment, fs[1:]), data_keys=["input", "mask"])
    want, params = af.pipeline(*fs)({"image": images, "mask": masks}, None, af.key(2))
    same(aug(images, masks, generator=af.key(2)), list(want.values()))
    assert aug._params.keys() == params.keys() == {"hflip", "affine", "brightness"}
    same(aug._params, params)


def test_eight_geometric_modules_make_one_resample(images, monkeypatch):
    calls = []
    sample = torch.nn.functional.grid_sample
    monkeypatch.setattr(torch.nn.functional, "grid_sample", lambda *a, **k: calls.append(1) or sample(*a, **k))
    AugmentationSequential(*[RandomRotation(5, p=1.0) for _ in range(8)])(images)
    assert len(calls) == 1


def test_steps_are_named_and_nested(images):
    inner = AugmentationSequential(RandomRotation(5), RandomRotation(7))
    aug = AugmentationSequential(RandomRotation(3), inner, Normalize(0.5, 0.5))
    aug(images)
    assert list(aug.steps) == ["rotate", "pipeline", "normalize"]
    assert set(aug._params["pipeline"]) == {"rotate", "rotate_2"}
    assert (len(aug), aug[1], next(iter(aug))) == (3, inner, aug[0])
    assert "AugmentationSequential_1.RandomRotation_1.ranges.degrees/low" in aug.state_dict()
    assert [n for n, _ in aug.named_children()] == ["RandomRotation_0", "AugmentationSequential_1", "Normalize_2"]
    assert list(aug.children()) == list(aug)


def test_children_train_and_their_current_ranges_are_drawn(images):
    bounds = nn.Parameter(torch.tensor([10.0, 10.0]))
    inner = AugmentationSequential(RandomRotation(bounds, p=1.0))
    aug = AugmentationSequential(inner, ColorJitter(0.2))
    assert [id(p) for p in aug.parameters()] == [id(bounds)]
    aug(images).sum().backward()
    assert bounds.grad.abs().max() > 0
    nn.init.constant_(bounds, 25.0)
    aug(images)
    assert aug._params["pipeline"]["rotate"]["degrees"].tolist() == [25.0] * 4


def test_partial_params_fix_what_they_name(images):
    aug = AugmentationSequential(RandomRotation(30, p=1.0), ColorJitter(0.2))
    aug(images, params={"rotate": {"degrees": torch.full((4,), 7.0)}})
    assert aug._params["rotate"]["degrees"].tolist() == [7.0] * 4
    with pytest.raises(ValueError, match="did you mean 'rotate'"):
        aug(images, params={"rotation": {}})


def test_manual_seed_and_generators(images):
    aug = AugmentationSequential(RandomRotation(30, p=1.0), RandomGaussianNoise(p=1.0))
    torch.manual_seed(3)
    first = aug(images)
    torch.manual_seed(3)
    assert aug(images).equal(first)
    a, b = (aug(images, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert a.equal(b)
    assert aug(images, generator=af.split(af.key(0), 4)).equal(aug(images, generator=af.key(0)))


def test_eval_is_the_identity(images, masks):
    aug = AugmentationSequential(RandomHorizontalFlip(), data_keys=["input", "mask"]).eval()
    assert aug(images, masks) == [images, masks]
    assert aug(images, data_keys=["input"]) is images
    assert aug.inverse(images, data_keys=["input"]) is images
    sample = {"image": images}
    assert aug(sample) is sample
    assert aug._params == {"hflip": None}
    choice = AugmentationSequential(RandomHorizontalFlip(), RandomVerticalFlip(), random_apply=1)
    choice(images)
    assert choice.eval()(images) is images
    assert choice.train().inverse(images) is images
    assert choice.transform_matrix.equal(torch.eye(3).expand(len(images), 3, 3))


# flags


def test_same_on_batch_of_the_container_and_of_children(images):
    def spread(aug):
        aug(images)
        return {n: v["degrees"].unique().numel() for n, v in aug._params.items()}

    def build(**keywords):
        return AugmentationSequential(
            RandomRotation(30, p=1.0, same_on_batch=True), RandomRotation(30, p=1.0), **keywords
        )

    assert spread(build()) == {"rotate": 1, "rotate_2": 4}
    assert spread(build(same_on_batch=True)) == {"rotate": 1, "rotate_2": 1}
    assert spread(build(same_on_batch=False)) == {"rotate": 4, "rotate_2": 4}
    nested = AugmentationSequential(build())
    nested(images)
    assert nested._params["pipeline"]["rotate"]["degrees"].unique().numel() == 1
    aug = build()
    assert aug(images).equal(aug(images, params=aug._params))


def test_keepdim():
    image, mask, boxes = torch.rand(3, 8, 8), torch.ones(8, 8), torch.ones(2, 4)
    keys = ["input", "mask", "bbox_xywh"]
    assert [tuple(v.shape) for v in flips(data_keys=keys)(image, mask, boxes)] == [(1, 3, 8, 8), (1, 8, 8), (1, 2, 4)]
    aug = flips(data_keys=keys, keepdim=True)
    same(aug(image, mask, boxes)[:2], [image.flip(-1), mask.flip(-1)])
    child = AugmentationSequential(RandomHorizontalFlip(p=1.0, keepdim=True))
    assert child(image).shape == (3, 8, 8)
    assert child(image[0]).shape == (8, 8)


def test_random_apply(images):
    def build(**keywords):
        return AugmentationSequential(*[RandomRotation((i, i), p=1.0) for i in (1, 2, 3)], **keywords)

    torch.manual_seed(0)
    x = torch.rand(64, 3, 4, 4)
    for random_apply, counts in ((2, {2}), ((1, 2), {1, 2}), ((2,), {2, 3})):
        aug = build(random_apply=random_apply, random_apply_per="sample")
        y = aug(x)
        assert set(aug._params["count"].floor().int().tolist()) == counts
        assert y.equal(aug(x, params=aug._params))
    aug = build(random_apply=1, random_apply_weights=[1.0, 0.0, 1.0], random_apply_per="sample")
    aug(x)
    chosen = aug._params["choice"].sum(0)
    assert chosen[1] == 0
    assert chosen[0] > 16
    assert "ranges.choice/weights" in aug.state_dict()


# back


def test_inverse_takes_all_targets_back():
    image, mask = torch.rand(4, 3, 24, 24), torch.zeros(4, 1, 24, 24, dtype=torch.int64)
    mask[..., 8:16, 8:16] = 3
    boxes, points = torch.tensor([[[8.0, 8.0, 16.0, 16.0]]] * 4), torch.tensor([[[9.0, 12.0], [14.0, 10.0]]] * 4)
    keys = ["input", "mask", "bbox_xyxy", "keypoints"]
    aug = AugmentationSequential(RandomHorizontalFlip(), RandomAffine(0, (0.1, 0.1), (0.9, 1.1), p=1.0), data_keys=keys)
    out = aug(image, mask, boxes, points)
    back = aug.inverse(*out)
    torch.testing.assert_close(back[2], boxes, atol=1e-3, rtol=0)
    torch.testing.assert_close(back[3], points, atol=1e-3, rtol=0)
    assert back[1].dtype == mask.dtype
    assert (back[1] == mask).float().mean() > 0.97
    for i, key in enumerate(keys):
        same(aug.inverse(out[i], data_keys=[key]), back[i])
        same(aug.inverse(out[i], data_keys=[key], params=copy.deepcopy(aug._params)), back[i])
    same(aug.inverse({"mask": out[1], "keypoints": out[3]}), {"mask": back[1], "keypoints": back[3]})


def test_inverse_of_a_frame_that_changed(images):
    points = torch.tensor([[[9.0, 6.0]]]).expand(4, 1, 2)
    aug = AugmentationSequential(RandomRotation(20, p=1.0), Resize((24, 20)), data_keys=["input", "keypoints"])
    y, moved = aug(images, points)
    x, back = aug.inverse(y, moved)
    assert x.shape == images.shape
    torch.testing.assert_close(back, points, atol=1e-4, rtol=0)
    torch.testing.assert_close(aug.inverse(moved, data_keys=["keypoints"]), points, atol=1e-4, rtol=0)


def test_a_replay_without_the_image(images, masks):
    aug = AugmentationSequential(RandomRotation(20), ColorJitter(0.2, 0.2, 0.2), Normalize([0.5] * 3, [0.5] * 3))
    points = torch.rand(4, 2, 2)
    aug(images)
    params = aug._params
    _, m, k = aug(images, masks, points, params=params, data_keys=["input", "mask", "keypoints"])
    same(aug(masks, points, params=params, data_keys=["mask", "keypoints"]), [m, k])
    with pytest.raises(ValueError, match="no frame to go by"):
        aug(masks, data_keys=["mask"])


def test_transform_matrix(images):
    points = torch.rand(4, 3, 2) * 10
    aug = AugmentationSequential(RandomHorizontalFlip(), RandomRotation(20), data_keys=["input", "keypoints"])
    _, moved = aug(images, points)
    flat = torch.cat([points, torch.ones(4, 3, 1)], -1) @ aug.transform_matrix.mT
    torch.testing.assert_close(flat[..., :2], moved, atol=1e-4, rtol=0)
    bent = AugmentationSequential(RandomElasticTransform(p=1.0))
    bent(images)
    with pytest.raises(ValueError, match="no matrix"):
        _ = bent.transform_matrix


# copies


@pytest.mark.parametrize("how", ["save", "pickle", "deepcopy"])
def test_copies(images, how, tmp_path):
    aug = AugmentationSequential(RandomRotation(nn.Parameter(torch.tensor([-9.0, 9.0]))), ColorJitter(0.2, p=0.5))
    y = aug(images, generator=af.key(0))
    torch.save(aug, tmp_path / "aug.pt")
    other = {
        "save": lambda: torch.load(tmp_path / "aug.pt", weights_only=False),
        "pickle": lambda: pickle.loads(pickle.dumps(aug)),
        "deepcopy": lambda: copy.deepcopy(aug),
    }[how]()
    assert other(images, params=other._params).equal(y)
    nn.init.zeros_(other.steps["rotate"].ranges.get_parameter("degrees/bounds"))
    assert aug(images, generator=af.key(0)).equal(y)
    other.load_state_dict(aug.state_dict())
    assert other(images, generator=af.key(0)).equal(y)


def test_repr_shows_keys_and_current_ranges():
    aug = AugmentationSequential(AugmentationSequential(RandomRotation(5, p=1.0)), data_keys=["input", "mask"])
    assert repr(aug) == (
        "AugmentationSequential(\n"
        "  data_keys=['input', 'mask']\n"
        "  (pipeline): AugmentationSequential(\n"
        "    data_keys=['input']\n"
        "    (rotate): RandomRotation(degrees=Uniform(low=-5.0, high=5.0))\n"
        "  )\n"
        ")"
    )


# compile and cost


def test_compile_without_a_break(images, masks):
    bounds = nn.Parameter(torch.tensor([-10.0, 10.0]))
    aug = AugmentationSequential(
        RandomHorizontalFlip(),
        RandomAffine(bounds, p=0.7),
        ColorJitter(0.2, 0.2),
        Normalize([0.5] * 3, [0.2] * 3),
        data_keys=["input", "mask", "bbox_xywh", "keypoints"],
    )
    targets = images, masks, torch.ones(4, 2, 4), torch.ones(4, 2, 2)
    torch._dynamo.utils.counters.clear()
    compiled = torch.compile(aug, fullgraph=True, backend="eager")
    for seed in range(3):
        key = af.key(seed)
        with torch.no_grad():
            bounds += 1
        torch.testing.assert_close(compiled(*targets, generator=key), aug(*targets, generator=key))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
    params = tree_map(torch.detach, aug._params)
    torch.testing.assert_close(compiled(*targets, params=params), aug(*targets, params=params))
    torch.compile(aug, fullgraph=True, backend="eager")(*targets)
    assert aug._params["affine"]["degrees"].unique().numel() == 4


def test_a_module_adds_little_to_a_call():
    """In calls of Python functions, a measure that a busy machine does not change (about 30 µs in all)."""

    def calls(f):
        f()
        with cProfile.Profile() as profile:
            f()
        return sum(entry.callcount for entry in profile.getstats())

    image, key = torch.rand(1, 3, 16, 16), af.key(0)
    aug = AugmentationSequential(RandomAffine(15, p=1.0), ColorJitter(0.2, 0.2, 0.2, 0.05), Normalize(0.5, 0.5))
    f, ranges = aug.f, aug.params
    assert calls(lambda: aug(image, generator=key)) - calls(lambda: f({"image": image}, ranges, key)) < 200


# what is refused


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, m: AugmentationSequential(af.hflip), "a foreign child"),
        (lambda x, m: AugmentationSequential(), "no steps"),
        (lambda x, m: flips(data_keys=["inputs"]), "did you mean 'input'"),
        (lambda x, m: flips(data_keys=[7]), "an enum's member"),
        (lambda x, m: flips()({"picture": x}), "unknown data key"),
        (lambda x, m: flips()({"image": x, "dept": m}), "did you mean 'depth'"),
        (
            lambda x, m: flips()({"image": x, "path": "a.png"}),
            "targets={'path': 'mask'} calls it a mask, 'other' passes",
        ),
        (
            lambda x, m: flips()({"image": x, "image_id": 3}),
            "targets={'image_id': 'mask'} calls it a mask, 'other' passes",
        ),
        (lambda x, m: flips(data_keys=["input", "mask"])(x), "1 arguments"),
        (lambda x, m: flips()(x, m), "2 arguments"),
        (lambda x, m: flips(data_keys=["input", "mask"])(x, ["a"]), "af.collate"),
        (lambda x, m: flips()(m), "af.to_float"),
        (lambda x, m: flips(data_keys=["input", "bbox"])(x, torch.ones(4, 1, 4, 3)), "wrong shape"),
        (lambda x, m: turns()(x, generator=7), r"af.key\(7\)"),
        (lambda x, m: turns(same_on_batch=True)(x, generator=af.split(af.key(0), 4)), "a key per sample"),
        (lambda x, m: flips(random_apply_weights=[1.0]), "random_apply=1"),
        (lambda x, m: flips(random_apply=(2, 1)), "0 <= a <= b"),
        (lambda x, m: flips(random_apply=1, random_apply_per="image"), "'batch' or 'sample'"),
        (lambda x, m: flips(random_apply=1)(x, index=[0, 1, 2, 3]), "random_apply_per"),
        (lambda x, m: flips(random_apply=1)(x, generator=af.split(af.key(0), 4)), "random_apply_per"),
        (lambda x, m: AugmentationSequential(nn.MaxPool2d(2))(x), "changes the frame"),
        (lambda x, m: flips(extra_args={"mask": {"padding_mode": "border"}}), "extra_args: of masks"),
        (lambda x, m: flips(extra_args={"mask": {"interpolate": "nearest"}}), "unknown setting"),
        (lambda x, m: flips(extra_args={"keypoints": {"resample": "nearest"}}), "nothing is sampled"),
        (lambda x, m: flips().inverse(x), "nothing drawn yet"),
        (lambda x, m: AugmentationSequential(RandomRotation(5), RandomHorizontalFlip3D()), "2-D and 3-D"),
    ],
)
def test_mistakes_are_explained(call, message, images, masks):
    with pytest.raises((TypeError, ValueError, RuntimeError), match=message):
        call(images, masks)
