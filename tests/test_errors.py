"""Bad input: every mistake gives an error that says what was given, what is expected and how to get there."""

import re

import pytest
import torch

import augfn as af
from augfn.errors import explain, show, unknown

X = torch.rand(2, 3, 8, 10)
K = af.key(0)
ROTATE = af.rotate()

# what is done wrong -> (call, error, words that the message must hold: the given, the expected, the way out)
MISTAKES = {
    "integer image": (lambda: ROTATE((X * 255).byte(), None, K), TypeError, ["uint8", "floating", "af.to_float"]),
    "numpy array": (
        lambda: ROTATE(X.numpy(), None, K),
        TypeError,
        ["array float32 [2, 3, 8, 10]", "torch tensors [*batch, C, H, W]", "af.to_float(x)"],
    ),
    "a label that is a number": (
        lambda: ROTATE({"image": X[0], "label": 3}, None, K),
        TypeError,
        ["given:    3", "a tensor [*batch]", "torch.as_tensor(label)"],
    ),
    "too few dims": (
        lambda: ROTATE(torch.rand(8, 10), None, K),
        ValueError,
        ["[8, 10]", "C H W", "missing dimensions"],
    ),
    "missing key": (lambda: ROTATE(X), ValueError, ["degrees", "generator=key", "af.key(0)"]),
    "int for a key": (lambda: ROTATE(X, None, 0), TypeError, ["0", "int64", "af.key(0)"]),
    "float key": (lambda: ROTATE(X, None, torch.rand(2)), TypeError, ["float32", "int64", "af.key(0)"]),
    "key of three words": (lambda: ROTATE(X, None, torch.zeros(3).long()), ValueError, ["[3]", "2]", "af.key(0)"]),
    "keys of another batch": (lambda: ROTATE(X, None, af.split(K, 5)), ValueError, ["[5, 2]", "[2, 2]", "af.split"]),
    "seed is a string": (lambda: af.key("0"), TypeError, ["'0'", "integer", "af.key(0)"]),
    "unknown keyword": (lambda: af.rotate(degree=(-5, 5)), TypeError, ["degree", "one of", "'degrees'"]),
    "range upside down": (
        lambda: af.rotate(degrees=(5, -5)),
        ValueError,
        ["(5, -5)", "low <= high", "degrees=(-5, 5)"],
    ),
    "distribution upside down": (lambda: af.Uniform(2.0, 1.0), ValueError, ["(2.0, 1.0)", "low <= high", "swap"]),
    "negative factor": (
        lambda: af.brightness(factor=(-1, 1)),
        ValueError,
        ["[-1.0, 1.0]", "0.0 <= value", "stay within"],
    ),
    "three numbers for a range": (
        lambda: af.rotate(degrees=(1, 2, 3)),
        ValueError,
        ["(1, 2, 3)", "pair", "degrees=(low, high)"],
    ),
    "a string for a range": (
        lambda: af.rotate(degrees="15"),
        TypeError,
        ["'15'", "a pair (low, high)", "degrees=(low, high)"],
    ),
    "p above one": (lambda: af.hflip(p=1.5), ValueError, ["1.5", "0 <= p <= 1", "between 0 and 1"]),
    "a p that is to learn": (
        lambda: af.hflip(p=torch.tensor(0.5, requires_grad=True)),
        ValueError,
        ["hflip: p", "float32", "a number", "af.RelaxedBernoulli(torch.logit(p))"],
    ),
    "a maybe that is to learn": (
        lambda: af.maybe(ROTATE, torch.nn.Parameter(torch.tensor(0.5))),
        ValueError,
        ["maybe: p", "float32", "a number", "af.RelaxedBernoulli(torch.logit(p))"],
    ),
    "unknown target": (lambda: ROTATE({"image": X, "label2": X}, None, K), ValueError, ["label2", "label", "targets="]),
    "dict without a frame": (
        lambda: ROTATE({"label": torch.zeros(2)}, None, K),
        ValueError,
        ["label", "image", "add the image"],
    ),
    "mask of another size": (
        lambda: ROTATE({"image": X, "mask": torch.zeros(2, 4, 4)}, None, K),
        ValueError,
        ["[2, 4, 4]", "8x10", "frame"],
    ),
    "boxes of another batch": (
        lambda: ROTATE({"image": X, "boxes": torch.zeros(3, 1, 4)}, None, K),
        ValueError,
        ["[3, 1, 4]", "[2, N, 4]", "per sample"],
    ),
    "boxes of five numbers": (
        lambda: ROTATE({"image": X, "boxes": torch.zeros(2, 1, 5)}, None, K),
        ValueError,
        ["[2, 1, 5]", "N, 4", "bring"],
    ),
    "integer boxes": (
        lambda: ROTATE({"image": X, "boxes": torch.zeros(2, 1, 4).int()}, None, K),
        TypeError,
        ["int32", "floating", "boxes.float()"],
    ),
    "unknown box format": (
        lambda: af.Boxes(torch.zeros(2, 1, 4), format="corners"),
        ValueError,
        ["corners", "xywh", "format"],
    ),
    "unknown parameter": (
        lambda: ROTATE(X, {"angle": torch.zeros(2)}),
        ValueError,
        ["angle", "one of degrees", "names above"],
    ),
    "params of another batch": (
        lambda: ROTATE(X, {"degrees": torch.zeros(3)}),
        ValueError,
        ["[3]", "[2]", "one value per sample"],
    ),
    "integer params": (
        lambda: ROTATE(X, {"degrees": torch.zeros(2).long()}),
        TypeError,
        ["int64", "floating", ".float()"],
    ),
    "params are a list": (lambda: ROTATE(X, [30.0]), TypeError, ["[30.0]", "nested dict", "f.params"]),
    "factory for a step": (lambda: af.pipeline(af.rotate), TypeError, ["rotate", "augmentations", "af.rotate(...)"]),
    "empty pipeline": (lambda: af.pipeline(), ValueError, ["nothing", "at least one", "af.pipeline("]),
    "crop larger than the frame": (
        lambda: af.center_crop(size=20)(X),
        ValueError,
        ["(20, 20)", "(8, 10)", "pad or resize"],
    ),
    "crop without a size": (lambda: af.random_crop(), TypeError, ["[]", "size", "af.random_crop(size=...)"]),
    "a size of three": (lambda: af.resize(size=(1, 2, 3))(X), ValueError, ["(1, 2, 3)", "(h, w)", "size=(224, 224)"]),
    "negative padding": (lambda: af.pad(padding=-1)(X), ValueError, ["-1", "none negative", "af.pad(padding=4)"]),
    "switching a crop per sample": (
        lambda: af.center_crop(size=4, p=0.5)(X, None, K),
        ValueError,
        ["(8, 10)", "frame that stays", "leave out p"],
    ),
    "unknown interpolation": (lambda: af.rotate(interpolation="cubic"), ValueError, ["cubic", "bicubic", "choose one"]),
    "unknown padding": (lambda: af.rotate(padding_mode="wrap"), ValueError, ["wrap", "border", "choose one"]),
    "fill and padding at odds": (
        lambda: af.rotate(fill=0.5, padding_mode="border"),
        ValueError,
        ["border", "fill, or", "leave one"],
    ),
    "fill by name": (lambda: af.rotate(fill="red"), TypeError, ["red", "a number", "fill=0.5"]),
    "a range of nan": (lambda: af.rotate(degrees=(float("nan"), 1)), ValueError, ["nan", "finite", "degrees="]),
    "fill of two numbers": (
        lambda: af.rotate(fill=(0.1, 0.2))(X, None, K),
        ValueError,
        ["(0.1, 0.2)", "3 numbers", "one per channel"],
    ),
    "hue of one channel": (
        lambda: af.hue()(X[:, :1], None, K),
        ValueError,
        ["[2, 1, 8, 10]", "3, H, W", "expand"],
    ),
    "normalize with two means": (
        lambda: af.normalize(mean=(0.1, 0.2), std=(1.0, 1.0))(X),
        ValueError,
        ["3 channels", "2 channels", "one value per channel"],
    ),
    "even kernel": (lambda: af.gaussian_blur(kernel_size=4)(X, None, K), ValueError, ["4", "odd", "kernel_size=5"]),
    "affine without ranges": (
        lambda: af.affine()(X, None, K),
        ValueError,
        ["no ranges", "one of degrees", "af.affine(degrees"],
    ),
    "class indices to mixup": (
        lambda: af.mixup()({"image": X, "label": torch.tensor([0, 1])}, None, K),
        ValueError,
        ["int64", "[*batch, K]", "num_classes=K"],
    ),
    "mixup under vmap": (
        lambda: torch.func.vmap(lambda x, k: af.mixup()(x, None, k)[0])(X, af.split(K, 2)),
        ValueError,
        ["vmap", "a batch", "outside of vmap"],
    ),
    "2-D and 3-D steps": (
        lambda: af.pipeline(af.rotate(), af.hflip3d()),
        ValueError,
        ["rotate", "one of both", "affine3d"],
    ),
    "a volume to a 2-D op": (
        lambda: ROTATE({"volume": torch.rand(2, 1, 4, 8, 8)}, None, K),
        ValueError,
        ["volume", "one world", "affine3d"],
    ),
    "weights of another length": (
        lambda: af.one_of(af.hflip(), af.vflip(), weights=[1.0, 1.0, 1.0]),
        ValueError,
        ["1.0, 1.0, 1.0", "2 weights", "one per branch"],
    ),
    "some_of too many": (lambda: af.some_of(3, af.hflip(), af.vflip()), ValueError, ["3", "<= 2", "some_of("]),
    "bicubic on a volume": (
        lambda: af.rotate3d(interpolation="bicubic")(torch.rand(1, 4, 4, 4), None, K),
        ValueError,
        ["bicubic", "bilinear", "interpolation="],
    ),
    "intrinsics through elastic": (
        lambda: af.elastic()({"image": X, "intrinsics": torch.eye(3).expand(2, 3, 3)}, None, K),
        ValueError,
        ["a bend", "projective", "leave the intrinsics"],
    ),
    "invert a frame that does not fit": (
        lambda: af.invert(af.center_crop(size=4))(X, {}),
        ValueError,
        ["(8, 10)", "(4, 4)", "size=(h, w)"],
    ),
    "invert what is no augmentation": (lambda: af.invert(3), TypeError, ["3", "af.invert(f, size=(h, w))"]),
    "invert with keywords of the colour": (lambda: af.invert(ROTATE, p=0.5), TypeError, ["'p'", "af.invert(p=0.5)"]),
    "range without an end": (lambda: af.rotate(degrees=(0, float("inf"))), ValueError, ["inf", "finite"]),
    "half a hole": (lambda: af.cutout(holes=2.5), TypeError, ["2.5", "a whole number", "holes=1"]),
    "a float for a kernel": (lambda: af.defocus(kernel_size=3.0), TypeError, ["3.0", "whole", "kernel_size=9"]),
    "half a pixel of padding": (lambda: af.pad(padding=1.5)(X), ValueError, ["1.5", "none negative", "padding=4"]),
    "fog of no octave": (lambda: af.fog(octaves=0)(X, None, K), ValueError, ["0", "octaves >= 1", "octaves=3"]),
    "a spread of zero": (lambda: af.normalize(mean=0.5, std=0.0)(X), ValueError, ["0.0", "not 0", "std=1"]),
    "two means, three spreads": (
        lambda: af.normalize(mean=(0.4, 0.5), std=(0.1, 0.2, 0.3))(X),
        ValueError,
        ["(0.4, 0.5)", "as many", "one of each"],
    ),
    "a fill that bytes cannot hold": (
        lambda: af.rotate(fill_mask=300)({"image": X, "mask": torch.zeros(2, 8, 10, dtype=torch.uint8)}, None, K),
        ValueError,
        ["300", "0 to 255", "uint8", "mask.long()"],
    ),
    "a fill that cannot be blended": (
        lambda: af.rotate(fill=float("nan"))(X, None, K),
        ValueError,
        ["nan", "finite", 'interpolation="nearest"'],
    ),
    "validity in numbers": (
        lambda: af.Boxes(torch.zeros(2, 3, 4), valid=torch.ones(2, 3)),
        TypeError,
        ["float32", "boolean", ".bool()"],
    ),
    "labels of other boxes": (
        lambda: af.Boxes(torch.zeros(2, 3, 4), labels=torch.zeros(2)),
        ValueError,
        ["[2]", "[2, 3]", "one entry per box"],
    ),
    "invert with params of another batch": (
        lambda: af.invert(ROTATE)(X, {"degrees": torch.zeros(3)}),
        ValueError,
        ["[3]", "[2]", "one value per sample"],
    ),
    "writing to a distribution": (
        lambda: setattr(af.Uniform(0.0, 1.0), "low", 2.0),
        AttributeError,
        ["low = 2.0", "a new distribution", "build one"],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(name):
    call, error, words = MISTAKES[name]
    with pytest.raises(error, match=r".") as caught:
        call()
    message = str(caught.value)
    missing = [w for w in words if w not in message]
    assert not missing, f"{missing} not in: {message}"


def test_there_are_enough_of_them():
    assert len(MISTAKES) >= 25


def test_explain_has_four_parts():
    text = explain("what", 1, "two", "write 2")
    assert re.fullmatch(r"what\.\n  given:    1\n  expected: two\n  do this:  write 2", text)


def test_unknown_names_the_nearest():
    assert "'degrees'" in unknown("keyword", "degree", ["degrees", "fill"])
    assert unknown("name", "RandomHorizontalFlip", ["luma_flip", "hflip", "rotate"]).endswith(
        "perhaps hflip, luma_flip"
    )
    long = unknown("name", "hflop", [*(f"op{i}" for i in range(99)), "hflip"])
    assert "one of 100 names, such as hflip" in long
    assert "op98" not in long


def test_show_tells_a_tensor_by_its_shape():
    assert show(torch.zeros(2, 3)) == "tensor float32 [2, 3]"
