"""What scripts do with kornia's modules beyond a call: replay its params, set things for one call, ask for parts, policies."""

import warnings

import pytest
import torch
from torch import nn

import augfn as af
import augfn_nn as A
from augfn_nn import ParamItem

X = nn.functional.avg_pool2d(torch.rand(3, 3, 40, 44, generator=torch.Generator().manual_seed(0)), 5, 1)
KEY = af.key(0)


@pytest.fixture(scope="module")
def kornia():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield pytest.importorskip("kornia.augmentation")


# params that kornia has drawn

REPLAYS = [
    ("RandomHorizontalFlip", {}),
    ("RandomVerticalFlip", {}),
    ("RandomAffine", {"degrees": 20, "translate": (0.1, 0.2), "scale": (0.8, 1.2)}),
    ("RandomAffine", {"degrees": 20, "scale": (0.8, 1.2, 0.7, 1.3), "shear": (1.0, 9.0, 2.0, 8.0)}),
    ("RandomRotation", {"degrees": 30}),
    ("RandomShear", {"shear": (1.0, 9.0, 2.0, 8.0)}),
    ("RandomTranslate", {"translate_x": (-0.2, 0.2), "translate_y": (-0.1, 0.1)}),
    ("RandomFisheye", {n: torch.tensor(v) for n, v in (("center_x", (-0.3, 0.3)), ("center_y", (-0.3, 0.3)))}),
    ("RandomThinPlateSpline", {"scale": 0.15}),
    ("RandomPerspective", {"distortion_scale": 0.4}),
    ("RandomPerspective", {"distortion_scale": 0.4, "sampling_method": "area_preserving"}),
    ("RandomErasing", {"scale": (0.02, 0.4)}),
    ("RandomCrop", {"size": (8, 9), "p": 1.0}),
    ("RandomCrop", {"size": (8, 9), "padding": (1, 2, 3, 4), "p": 1.0}),
    ("RandomCrop", {"size": (50, 20), "pad_if_needed": True, "p": 1.0}),
    ("CenterCrop", {"size": (8, 8), "p": 1.0}),
    ("RandomResizedCrop", {"size": (5, 6), "scale": (0.5, 0.9), "align_corners": False, "p": 1.0}),
    ("ColorJitter", {"brightness": 0.2, "contrast": 0.3, "saturation": 0.4, "hue": 0.1}),
    ("ColorJiggle", {"brightness": 0.2, "contrast": 0.3, "saturation": 0.4, "hue": 0.1}),
    ("RandomBrightness", {"brightness": (0.8, 1.2)}),
    ("RandomContrast", {"contrast": (0.8, 1.2)}),
    ("RandomSaturation", {"saturation": (0.8, 1.2)}),
    ("RandomHue", {"hue": (-0.2, 0.2)}),
    ("RandomGamma", {"gamma": (0.8, 1.2), "gain": (0.9, 1.0)}),
    ("RandomSolarize", {"thresholds": 0.2, "additions": 0.2}),
    ("RandomPosterize", {"bits": (2, 5)}),
    ("RandomSharpness", {"sharpness": 0.5}),
    ("RandomGaussianBlur", {"kernel_size": (3, 3), "sigma": (0.1, 2.0)}),
    ("RandomJPEG", {"jpeg_quality": (20.0, 80.0)}),
    ("RandomRGBShift", {}),
    ("RandomGrayscale", {}),
]


@pytest.mark.parametrize(("name", "known"), REPLAYS)
@pytest.mark.filterwarnings("ignore")
def test_kornias_params_replay(kornia, name, known):
    known = {"p": 0.7} | known | ({"gamma": torch.tensor([0.9, 1.0])} if name == "RandomFisheye" else {})
    theirs = kornia.AugmentationSequential(getattr(kornia, name)(**known))
    aug = A.AugmentationSequential(getattr(A, name)(**known, kornia=True))
    for seed in range(3):
        torch.manual_seed(seed)
        want = theirs(X)
        found = aug(X, params=theirs._params)
        inner = (..., slice(2, -2), slice(2, -2)) if want.shape == X.shape else (...,)
        torch.testing.assert_close(found[inner], want[inner], atol=5e-5, rtol=0)
        assert torch.equal(aug[0](X, params=theirs._params[0].data), found)


def test_kornias_params_of_nested_containers(kornia):
    def made(K):
        inner = K.ImageSequential(K.RandomVerticalFlip(), nn.Hardtanh(0.1, 0.9))
        steps = K.RandomRotation(30.0, p=1.0), inner, K.RandomHorizontalFlip()
        return K.AugmentationSequential(*steps, data_keys=["input", "mask", "keypoints"])

    theirs, ours = made(kornia), made(A)
    mask, points = (X[:, :1] > 0.5).float(), torch.rand(3, 5, 2) * 20 + 8
    want = theirs(X, mask, points)
    found = ours(X, mask, points, params=theirs._params)
    torch.testing.assert_close(found[0][..., 9:-9, 9:-9], want[0][..., 9:-9, 9:-9], atol=2e-4, rtol=0)
    assert (found[1] == want[1])[..., 9:-9, 9:-9].float().mean() > 0.99
    torch.testing.assert_close(found[2], want[2], atol=1e-3, rtol=0)


@pytest.mark.parametrize("shared", [True, False])
def test_kornias_params_of_clips(kornia, shared):
    def made(K):
        steps = K.RandomRotation(30.0, p=0.7), K.ColorJiggle(0.2, 0.2, p=1.0)
        return K.VideoSequential(*steps, same_on_frame=shared)

    theirs, ours, clip = made(kornia), made(A), torch.stack([X, X.flip(-1), X.roll(3, -1), X * 0.5], 1)
    want = theirs(clip)
    found = ours(clip, params=theirs._params)
    torch.testing.assert_close(found[..., 9:-9, 9:-9], want[..., 9:-9, 9:-9], atol=2e-4, rtol=0)


def test_params_in_kornias_form():
    """Written by hand, as kornia draws them."""
    shape = torch.tensor(X.shape)
    data = {"angle": torch.full((3,), 90.0), "translations": torch.tensor([[4.0, 0.0]]).expand(3, 2)}
    data |= {"batch_prob": torch.tensor([True, False, True]), "forward_input_shape": shape}
    aug = A.AugmentationSequential(A.RandomAffine(10, (0.1, 0.1)))
    aug(X, params=[ParamItem("RandomAffine_0", data)])
    drawn = aug._params["affine"]
    assert drawn["degrees"].tolist() == [-90.0] * 3
    assert drawn["gate"].tolist() == [1.0, 0.0, 1.0]
    torch.testing.assert_close(drawn["translate"], torch.tensor([[0.1, 0.0]]).expand(3, 2))
    with pytest.raises(ValueError, match="params in another form"):
        A.RandomMotionBlur(3, 9.0, 0.5)(X, params={"angle_factor": torch.ones(3), "batch_prob": torch.ones(3)})
    with pytest.raises(ValueError, match="params in another form"):
        A.RandomRotation(10)(X, params=data)
    flat = {"src": torch.zeros(3, 4, 2), "batch_prob": torch.zeros(3)}
    flat |= {"input_size": torch.tensor([[36, 40]]), "output_size": torch.tensor([[8, 8]])}
    with pytest.raises(ValueError, match="the samples of a batch have one size"):
        A.RandomCrop((8, 8))(X, params=flat)
    assert A.RandomCrop((8, 8), p_batch=0.5)(X, params=flat).equal(X)


# keywords of a call


def test_settings_of_one_call():
    aug, other = A.RandomRotation((30.0, 30.0), p=1.0), A.RandomRotation((30.0, 30.0), p=1.0, padding_mode="border")
    assert torch.equal(aug(X, padding_mode="border", align_corners=True), other(X))
    nearest = A.RandomRotation((30.0, 30.0), p=1.0, resample="nearest")
    assert torch.equal(aug(X, resample="nearest"), nearest(X))
    turned = aug(X, degrees=torch.tensor([0.0, 90.0, 180.0]), save_kwargs=True)
    assert aug._params["degrees"].tolist() == [0.0, 90.0, 180.0]
    torch.testing.assert_close(turned[2], X[2].flip(-1, -2), atol=1e-4, rtol=0)
    torch.testing.assert_close(aug.inverse(turned)[2], X[2], atol=1e-4, rtol=0)
    shift = A.RandomAffine(10, (0.1, 0.1), p=1.0)
    shift(X, angle=torch.full((3,), 5.0))
    assert shift._params["degrees"].tolist() == [-5.0] * 3
    assert shift._params["translate"].shape == (3, 2)
    assert A.RandomInvert()(X, output_type="numpy").shape == (3, 36, 40, 3)
    with pytest.raises(TypeError, match=r"keyword of a call of RandomRotation(?s:.)*did you mean 'degrees'"):
        aug(X, degree=1.0)
    with pytest.raises(TypeError, match="params by name"):
        aug([X[0], X[1]], degrees=1.0)
    with pytest.raises(TypeError, match=r"translate_x, translate_y, which are one param"):
        A.RandomTranslate((-0.2, 0.2), (-0.1, 0.1))(X, translate_x=torch.ones(3))
    assert torch.equal(aug({"image": X}, degrees=90.0)["image"], aug(X, degrees=90.0))
    assert type(A.RandomRotation(10, p_batch=0.5)(X, output_type="numpy")).__name__ == "ndarray"
    with pytest.raises(TypeError, match="keyword of a call"):
        A.Augment(af.hflip())(X, degrees=3.0)
    with pytest.raises(ValueError, match="beside p_batch"):
        A.RandomRotation(10, p_batch=0.5)(X, padding_mode="border")


def test_what_a_call_sets_leaves_the_other_draws_to_the_index():
    aug = A.RandomAffine(10, (0.1, 0.1), p=0.5)
    aug(X, index=[7, 8, 9], epoch=1)
    want = aug._params
    aug(X, index=[7, 8, 9], epoch=1, degrees=3.0)
    assert torch.equal(aug._params["translate"], want["translate"])
    assert torch.equal(aug._params["gate"], want["gate"])
    with pytest.raises(ValueError, match="draws by index"):
        aug(X, index=[7, 8], degrees=3.0)


def test_what_a_call_says_compiles():
    """In one graph: other keys, a dict, other sampling, leaves. Settings of an op are those of the module there."""
    mask, stay = (X[:, :1] > 0.5).float(), {"generator": KEY}
    aug, turn = A.AugmentationSequential(A.RandomRotation(30.0)), A.RandomRotation(30.0)
    for module, args, said in (
        (aug, (X, mask), {"data_keys": ["input", "mask"]}),
        (aug, ({"image": X, "mask_b": mask},), {}),
        (aug, (X,), {"extra_args": {"input": {"resample": "nearest"}}}),
        (turn, (X,), {"degrees": torch.full((3,), 5.0)}),
    ):
        fast = torch.compile(module, fullgraph=True, backend="eager")
        torch.testing.assert_close(fast(*args, **stay, **said), module(*args, **stay, **said))
    with pytest.raises(RuntimeError, match="settings of a call"):
        torch.compile(turn, fullgraph=True, backend="eager")(X, padding_mode="border")


def test_hooks_see_a_call_with_keywords_once():
    calls = []
    for aug in (A.RandomRotation(10.0), A.RandomInvert(p_batch=0.5), A.Augment(af.hflip())):
        aug.register_forward_hook(lambda *_: calls.append(1))
        aug(X, output_type="numpy")
    assert len(calls) == 3


def test_how_a_container_reads_in_one_call():
    aug = A.ImageSequential(A.RandomRotation((30.0, 30.0), p=1.0))
    other = A.ImageSequential(A.RandomRotation((30.0, 30.0), p=1.0, resample="nearest"))
    assert torch.equal(aug(X, extra_args={"input": {"resample": "nearest"}}), other(X))
    assert torch.equal(aug(X, extra_args={}), aug(X))
    with pytest.raises(ValueError, match="extra_args of a call"):
        aug(X, extra_args={"mask": {"resample": "bilinear"}})
    known = {"data_keys": ["input", "mask"], "extra_args": {"mask": {"resample": "bilinear", "fill": 0.25}}}
    soft, mask = A.AugmentationSequential(A.RandomRotation((30.0, 30.0), p=1.0), **known), (X[:, :1] > 0.5).float()
    y, m = soft(X, mask, extra_args={"input": {"resample": "nearest"}})  # what it does not say stays
    assert torch.equal(y, other(X))
    assert torch.equal(m, soft(X, mask)[1])
    assert (soft(X, mask, extra_args={"mask": {"fill": 0.75}})[1] == 0.75).any()


def test_masks_that_are_read_between_pixels(kornia):
    """As kornia reads them, labels mixed; other data keys, a dict, an inverse and targets of one's own follow."""
    from kornia.constants import DataKey

    mask = (X[:, :1] > 0.5).float()
    known = {"data_keys": ["input", "mask"], "extra_args": {DataKey.MASK: {"resample": "bilinear"}}}
    theirs = kornia.AugmentationSequential(kornia.RandomRotation((30.0, 30.0), p=1.0), **known)
    aug = A.AugmentationSequential(A.RandomRotation((30.0, 30.0), p=1.0), targets={"seg": "mask"}, **known)
    image, soft = aug(X, mask)
    inner = (..., slice(9, -9), slice(9, -9))
    torch.testing.assert_close(soft[inner], theirs(X, mask)[1][inner], atol=1e-4, rtol=0)
    assert ((soft > 0.01) & (soft < 0.99)).any()
    out = aug({"image": X, "mask_b": mask, "seg": mask})
    assert torch.equal(out["mask_b"], soft)
    assert torch.equal(out["seg"], soft)
    assert torch.equal(aug(X, mask, mask, data_keys=["input", "mask", "mask"])[2], soft)
    assert (aug.inverse(image, soft)[1] - mask)[inner].abs().mean() < 0.25
    with pytest.raises(TypeError, match="integer values"):
        aug(X, mask.long())


# what is asked of a module


def test_matrices_are_asked_for_or_not():
    steps = A.RandomAffine(10, p=1.0), A.ColorJitter(0.1, p=1.0)
    for mode in ("silent", "rigid", "silence"):
        aug = A.AugmentationSequential(*steps, transformation_matrix_mode=mode)
        aug(X)
        assert aug.transform_matrix.shape == (3, 3, 3)
    aug = A.AugmentationSequential(*steps, transformation_matrix_mode="skip")
    aug(X)
    assert aug.transform_matrix is None
    with pytest.raises(ValueError, match="transformation_matrix_mode"):
        A.AugmentationSequential(*steps, transformation_matrix_mode="loud")
    policy = A.AutoAugment(transformation_matrix_mode="skip")
    policy(X)
    assert policy.transform_matrix is None


def test_a_matrix_that_kornia_skips_is_skipped(kornia):
    from kornia.constants import DataKey

    known = {"transformation_matrix_mode": "skip", "extra_args": {DataKey.MASK: {"resample": "bilinear"}}}
    found = A.convert(kornia.AugmentationSequential(kornia.RandomRotation((30.0, 30.0)), **known)).module
    found(X)
    assert found.transform_matrix is None
    assert found.soft


def test_parts_of_an_op():
    aug = A.RandomAffine(10, (0.1, 0.1), p=0.5)
    assert {*aug.generate_parameters((3, 3, 36, 40))} == {"degrees", "translate"}
    params = aug.forward_parameters(X.shape)
    matrix = aug.compute_transformation(X, params, aug.flags)
    torch.testing.assert_close(
        matrix @ aug.compute_inverse_transformation(matrix), aug.identity_matrix(X), atol=1e-4, rtol=0
    )
    gateless = aug.generate_parameters(X.shape)
    everywhere = aug(X, params=gateless | {"gate": torch.ones(3)})
    for _ in range(4):
        assert torch.equal(aug.apply_transform(X, gateless), everywhere)
    assert (aug.compute_transformation(X, gateless) != aug.identity_matrix(X)).flatten(1).any(1).all()
    flip = A.RandomHorizontalFlip(p=0.5)
    assert torch.equal(flip.apply_transform(X, flip.generate_parameters(X.shape)), X.flip(-1))
    moved = aug.apply_transform(X, params, aug.flags, matrix)
    assert torch.equal(moved, aug(X, params=params | {"gate": torch.ones(3)}))
    assert aug.transform_tensor(X[0]).shape == (1, 3, 36, 40)
    assert aug.flags["padding_mode"] is None
    with pytest.raises(TypeError):
        aug.flags["padding_mode"] = "border"
    aug.set_rng_device_and_dtype(torch.device("cpu"), torch.float64)
    aug.clear_state()
    assert aug._params is None
    for name in ("show", "save"):
        assert not hasattr(aug, name)
        with pytest.raises(AttributeError, match=r"augfn\.app import viz"):
            getattr(aug, name)
    torch.testing.assert_close(aug.get_transformation_matrix(X, params, recompute=True).shape, torch.Size([3, 3, 3]))


def test_parts_of_a_container():
    inner = A.ImageSequential(A.RandomInvert(p=1.0))
    aug = A.AugmentationSequential(A.RandomRotation(10, p=1.0), inner, A.RandomHorizontalFlip(p=1.0))
    names = ["RandomRotation_0", "ImageSequential_1", "RandomHorizontalFlip_2"]
    assert [n for n, _ in aug.get_forward_sequence()] == names
    assert type(aug.get_submodule("ImageSequential_1.RandomInvert_0")) is A.RandomInvert
    aug(X)
    for params in (aug._params, aug.param_items):
        assert [n for n, _ in aug.get_children_by_params(params)] == names
        assert [m for _, m in aug.get_forward_sequence(params)] == [*aug]
    assert [n for n, _ in aug.get_children_by_indices(torch.tensor([2, 0]))] == [names[2], names[0]]
    assert [m for _, m in aug.get_children_by_module_names(names[:1])] == [aug[0]]
    assert [*aug.get_params_by_module(aug.named_children())] == [ParamItem(n, None) for n in names]
    aug.update_attribute(same_on_batch=True)
    assert aug[0].same_on_batch
    some = A.AugmentationSequential(A.RandomRotation(10), A.RandomInvert(), random_apply=1)
    assert len([*some.get_forward_sequence()]) == 1
    some(X)
    assert [n for n, _ in some.get_children_by_params(some._params)] == [i.name for i in some.param_items]


# ranges that learn, in kornia's formulas


@pytest.mark.parametrize("name", ["RandomBrightness", "RandomContrast", "RandomSaturation"])
def test_ranges_learn_in_kornias_formulas(name):
    bounds = nn.Parameter(torch.tensor([0.8, 1.2]))
    aug, fixed = (getattr(A, name)(v, p=1.0, kornia=True) for v in (bounds, (0.8, 1.2)))
    y = aug(X, generator=KEY)
    torch.testing.assert_close(y, fixed(X, generator=KEY))
    y.square().mean().backward()
    assert (bounds.grad != 0).all()
    assert [*aug.parameters()] == [bounds]
    width = nn.Parameter(torch.tensor(0.2))
    wide = getattr(A, name)(width, p=1.0, kornia=True)
    torch.testing.assert_close(wide(X, generator=KEY), y)


def test_ranges_of_mixes_are_parameters():
    """A cut has whole pixels, so that its share is drawn from the Parameter, and gets no gradient."""
    bounds, labels = nn.Parameter(torch.tensor([0.2, 0.4])), torch.eye(3)
    for make in (lambda v: A.RandomMixUp(v, kornia=True), A.RandomMixUp, lambda v: A.RandomCutMix(cut_size=v)):
        aug = make(bounds)
        y, mixed = aug(X, labels, generator=KEY)
        torch.testing.assert_close((y, mixed), make((0.2, 0.4))(X, labels, generator=KEY))
        assert [*aug.parameters()] == [bounds]
        if not isinstance(aug, A.RandomCutMix):
            (grad,) = torch.autograd.grad(y.square().mean(), bounds)
            assert grad.abs().sum() > 0


# policies of one's own


def test_policies_in_kornias_form():
    table = [[("posterize", 0.4, 8), ("rotate", 0.6, 9)], [("shear_x", 1.0, 2), ("equalize", 0.5, None)]]
    aug = A.AutoAugment(table)
    assert aug(X).shape == X.shape
    assert torch.equal(aug(X, params=aug._params), aug(X, params=aug._params))
    shear = aug.params["pipeline_2"]["shear"]["shear"]
    torch.testing.assert_close(shear.low, torch.tensor([-10.2040, 0.0]), atol=1e-3, rtol=0)
    theirs = A.AutoAugment(table, kornia=True).params["pipeline_2"]["shear"]["shear"]
    torch.testing.assert_close(theirs.low, torch.tensor([-32.4, 0.0]))
    some = A.RandAugment(2, 15, policy=[[("rotate", -30.0, 30.0)], [("color", 0.1, 1.9)], [("posterize", 4.0, 8.0)]])
    some(X)
    assert some.params["posterize"]["bits"].value == 6.0
    assert (some._params["rotate"]["degrees"].abs() == 15).all()
    assert A.TrivialAugment([[("translate_y", -0.3, 0.3)], [("invert", 0, 1)]])(X).shape == X.shape
    nested = A.AugmentationSequential(A.AutoAugment(table), data_keys=["input", "mask"])
    assert nested(X, X[:, :1])[1].shape == (3, 1, 36, 40)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: A.AutoAugment([[("turn", 0.5, 3)]]), "op of a policy"),
        (lambda: A.AutoAugment([[("rotate", 0.5, 10)]]), "an interval 0 to 9"),
        (lambda: A.AutoAugment([("rotate", 0.5, 10)]), "policy"),
        (lambda: A.AutoAugment([]), "policy"),
        (lambda: A.RandAugment(1, 30, policy=[[("rotate", -30.0, 30.0)]]), "a level between 0 and 30"),
        (lambda: A.RandAugment(2, 10, policy=[[("rotate", -30.0, 30.0)]]), "bad count"),
        (lambda: A.RandAugment(1, 10, policy=[[("rotate", 0.0, 30.0)]]), r"\(-x, x\)"),
        (lambda: A.TrivialAugment([[("rotate", -9, 9), ("invert", 0, 1)]]), "policy"),
    ],
)
def test_mistakes_in_policies(make, message):
    with pytest.raises(ValueError, match=message):
        make()
