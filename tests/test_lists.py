"""Images of several sizes in one call, torchvision's tensors, and boxes that are lost."""

import enum
import warnings

import pytest
import torch

import augfn as af
from augfn.testing.case import agree
from augfn_nn import Augment, AugmentationSequential, RandomHorizontalFlip

K = af.key(0)
SIZES = [(12, 16), (9, 9), (20, 8)]
IMAGES = [torch.rand(3, *size) for size in SIZES]
F = af.pipeline(af.hflip(p=0.5), af.rotate(), af.resized_crop(size=8), af.gaussian_noise())


def test_a_list_comes_back_as_one_batch():
    y, params = F(IMAGES, None, K)
    assert y.shape == (3, 3, 8, 8)
    for i, (x, key) in enumerate(zip(IMAGES, af.split(K, 3), strict=True)):
        assert y[i].equal(F(x, None, key)[0])
    assert F(IMAGES, params)[0].equal(y)
    assert params["rotate"]["degrees"].equal(F(torch.rand(3, 3, 16, 16), None, K)[1]["rotate"]["degrees"])
    assert F(IMAGES, None, af.split(K, 3))[0].equal(y)
    assert F(tuple(IMAGES[1:]), None, af.split(K, 3)[1:])[0].equal(y[1:])


def test_a_list_of_dicts():
    samples = [
        {"image": x, "mask": x[0].long(), "boxes": af.Boxes(torch.rand(i, 4).sort(-1).values * 8), "name": str(i)}
        for i, x in enumerate(IMAGES)
    ]
    f = af.pipeline(F, targets={"name": "other"})
    y, _ = f(samples, None, K)
    assert y["image"].shape == (3, 3, 8, 8)
    assert y["mask"].shape == (3, 8, 8)
    assert y["boxes"].data.shape == (3, 2, 4)
    assert not y["boxes"].valid[0].any()
    assert y["name"] == ["0", "1", "2"]


def test_plain_rows_of_a_list_are_padded():
    samples = [
        {"image": x, "boxes": torch.tensor([[1.0, 1.0, 5.0, 5.0]] * i).reshape(i, 4)} for i, x in enumerate(IMAGES)
    ]
    y, _ = af.resize(size=(8, 8))(samples)
    assert y["boxes"].valid.tolist() == [[False, False], [True, False], [True, True]]


def test_params_for_a_list():
    degrees = torch.tensor([0.0, 90.0, 180.0])
    f = af.pipeline(af.rotate(), af.resize(size=(8, 8)))
    y, params = f(IMAGES, {"rotate": {"degrees": degrees}}, K)
    assert params["rotate"]["degrees"].equal(degrees)
    agree("as alone", y[1], f(IMAGES[1], {"rotate": {"degrees": degrees[1]}})[0], 1e-6)


def test_modules_take_lists():
    aug = Augment(F)
    assert aug(IMAGES, generator=K).equal(F(IMAGES, None, K)[0])
    assert aug(IMAGES, index=[4, 2, 0]).shape == (3, 3, 8, 8)


@pytest.mark.parametrize(
    ("call", "advice"),
    [
        (lambda: af.hflip()(IMAGES), "differs in shape"),
        (lambda: F([], None, K), "at least one sample"),
        (lambda: F(IMAGES, None, af.split(K, 2)), r"\[3, 2\]"),
        (lambda: AugmentationSequential(RandomHorizontalFlip())(IMAGES), "one tensor for the batch"),
    ],
)
def test_lists_that_make_no_batch(call, advice):
    with pytest.raises((TypeError, ValueError), match=advice):
        call()


# torchvision's tensors (stand-ins, since the package is not needed)


class Format(enum.Enum):
    XYXY = "XYXY"
    XYWH = "XYWH"
    CXCYWHR = "CXCYWHR"
    XYWHR = "XYWHR"


class Image(torch.Tensor):
    __module__ = "torchvision.tv_tensors"


class BoundingBoxes(torch.Tensor):
    __module__ = "torchvision.tv_tensors"


def boxes_of(data, form):
    made = torch.tensor(data).as_subclass(BoundingBoxes)
    made.format, made.canvas_size = form, (16, 20)
    return made


def test_boxes_of_torchvision_are_read_by_their_own_format():
    x = {"image": torch.rand(1, 16, 20), "boxes": boxes_of([[2, 3, 4, 5]], Format.XYWH)}
    y = af.hflip()(x)[0]["boxes"]
    assert y.format == "xywh"
    assert y.data.tolist() == [[14.0, 3.0, 4.0, 5.0]]
    turned = af.hflip()({**x, "boxes": boxes_of([[10.0, 8.0, 4.0, 2.0, 30.0]], Format.CXCYWHR)})[0]["boxes"]
    torch.testing.assert_close(turned.data, torch.tensor([[10.0, 8.0, 4.0, 2.0, -30.0]]))
    with pytest.raises(ValueError, match="XYXYXYXY"):
        af.hflip()({**x, "boxes": boxes_of([[10.0, 8.0, 4.0, 2.0, 30.0]], Format.XYWHR)})


def test_images_of_torchvision_are_tensors():
    x = torch.rand(2, 3, 8, 8)
    y, _ = F(x.as_subclass(Image), None, K)
    assert type(y) is torch.Tensor
    assert y.equal(F(x, None, K)[0])


# boxes that are lost


def messages(f, *args):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        f(*args)
    return [str(w.message) for w in found]


def test_a_plain_tensor_that_loses_a_box_says_so_once():
    f, boxes = af.center_crop(size=4), torch.tensor([[0.0, 0.0, 3.0, 3.0], [6.0, 6.0, 9.0, 9.0]])
    x = {"image": torch.rand(1, 16, 16), "boxes": boxes}
    (message,) = messages(f, x)
    assert "1 rows without an area" in message
    assert "boxes=af.Boxes(boxes)" in message
    assert not messages(f, x)
    assert not messages(af.center_crop(size=4), {**x, "boxes": af.Boxes(boxes)})
    assert not messages(af.center_crop(size=4), {**x, "boxes": boxes[1:]})
    assert af.center_crop(size=4)({**x, "boxes": af.Boxes(boxes)})[0]["boxes"].valid.tolist() == [False, True]


def test_rows_of_a_list_are_those_of_a_batch():
    """Rows that are not valid stay so, and `seen` goes on."""
    boxes = af.Boxes(torch.tensor([[1.0, 1.0, 7.0, 7.0], [torch.nan] * 4, [4.0, 4.0, 1.0, 1.0]]), min_visibility=0.5)
    sample, f = {"image": torch.rand(3, 8, 8), "boxes": boxes}, af.affine(translate=0.3)
    a = f([sample, sample], None, K)[0]["boxes"]
    both = {"image": sample["image"].expand(2, 3, 8, 8), "boxes": af.collate([sample, sample])["boxes"]}
    b = f(both, None, K)[0]["boxes"]
    torch.testing.assert_close(a.seen, b.seen, equal_nan=True)
    assert a.valid.equal(b.valid)
    assert 0 < a.seen[0, 0] < 1
    assert a.valid[:, 1:].sum() == 0


def test_a_list_that_shares_its_draw():
    aug = Augment(af.pipeline(af.rotate(), af.resize(size=(8, 8))), same_on_batch=True)
    aug(IMAGES)
    assert len(aug._params["rotate"]["degrees"].unique()) == 1
