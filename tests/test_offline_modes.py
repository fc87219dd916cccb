"""Images of all modes and formats, augmented to disk."""

import numpy as np
import pytest
import torch
from PIL import Image
from test_offline import POLICY, images, load

import augfn as af
from augfn.offline import apply


def noise(mode, size=(20, 12)):
    draw = np.random.default_rng(1)
    if mode == "I;16":
        return Image.fromarray(draw.integers(0, 65536, size, dtype=np.uint16))
    if mode == "F":
        return Image.fromarray(draw.random(size, dtype=np.float32))
    if mode == "P":
        return Image.fromarray(draw.integers(0, 256, (*size, 3), dtype=np.uint8)).quantize(16)
    bands = len(Image.new(mode, (1, 1)).getbands())
    pixels = draw.integers(0, 256, (*size, bands), dtype=np.uint8)
    return Image.fromarray(pixels if bands > 1 else pixels[..., 0], "L" if mode == "1" else mode).convert(mode)


@pytest.mark.parametrize(
    ("mode", "suffix", "becomes"),
    [
        ("L", "png", "L"),
        ("LA", "png", "LA"),
        ("RGB", "bmp", "RGB"),
        ("RGBA", "png", "RGBA"),
        ("RGBA", "webp", "RGBA"),
        ("I;16", "png", "I;16"),
        ("I;16", "tiff", "I;16"),
        ("F", "tiff", "F"),
        ("P", "png", "RGB"),
        ("P", "gif", "RGB"),
        ("1", "png", "L"),
        ("CMYK", "tiff", "RGB"),
        ("L", "jpg", "L"),
    ],
)
def test_modes_are_kept_where_they_can_be(tmp_path, mode, suffix, becomes):
    """A flip moves the pixels of each mode exactly."""
    (tmp_path / "in").mkdir()
    noise(mode).save(tmp_path / "in" / f"a.{suffix}")
    made = apply(tmp_path / "in", tmp_path / "out", af.hflip())
    assert not made.failures
    assert made.done[0]["output"] == ("a.png" if suffix == "gif" else f"a.{suffix}")
    before, after = load(tmp_path / "in" / f"a.{suffix}"), load(tmp_path / "out" / made.done[0]["output"])
    assert after.mode == becomes
    if suffix not in ("jpg", "webp"):
        before = before if before.mode == becomes else before.convert(becomes)
        assert np.array_equal(np.asarray(after), np.asarray(before)[:, ::-1])


@pytest.mark.parametrize(("mode", "becomes"), [("RGBA", "RGB"), ("LA", "L"), ("I;16", "L"), ("F", "L"), ("L", "L")])
def test_formats_that_cannot_hold_a_mode(tmp_path, mode, becomes):
    (tmp_path / "in").mkdir()
    noise(mode).save(tmp_path / "in" / "a.tiff")
    made = apply(tmp_path / "in", tmp_path / "out", af.hflip(), format="jpg", quality=100)
    after = load(tmp_path / "out" / "a.jpg")
    assert not made.failures
    assert after.mode == becomes


def test_grey_images_become_rgb_for_a_policy_of_colours(tmp_path):
    (tmp_path / "in").mkdir()
    for i, mode in enumerate(("L", "RGB", "I;16", "LA")):
        noise(mode).save(tmp_path / "in" / f"{i}.png")
    made = apply(tmp_path / "in", tmp_path / "out", af.pipeline(af.hflip(), af.color_jitter(hue=(-0.1, 0.1))))
    assert not made.failures
    assert [load(tmp_path / "out" / f"{i}.png").mode for i in range(4)] == ["RGB", "RGB", "RGB", "RGBA"]


def test_exif_turns_and_profiles_stay(tmp_path):
    (tmp_path / "in").mkdir()
    image, exif = noise("RGB"), Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    image.save(tmp_path / "in" / "a.png", exif=exif, icc_profile=b"a profile")
    apply(tmp_path / "in", tmp_path / "out", af.identity())
    after = load(tmp_path / "out" / "a.png")
    assert np.array_equal(np.asarray(after), np.rot90(np.asarray(image), -1))
    assert after.info["icc_profile"] == b"a profile"
    assert not after.getexif()


def test_alpha_moves_and_is_not_coloured(tmp_path):
    (tmp_path / "in").mkdir()
    pixels = np.full((16, 16, 4), 100, np.uint8)
    pixels[..., 3] = 255
    Image.fromarray(pixels).save(tmp_path / "in" / "a.png")
    apply(
        tmp_path / "in",
        tmp_path / "out",
        af.pipeline(af.translate(translate=torch.tensor([0.5, 0.0])), af.brightness(factor=2.0)),
    )
    after = np.asarray(load(tmp_path / "out" / "a.png"))
    assert (after[:, 8:] == (200, 200, 200, 255)).all()
    assert (after[:, :7, 3] == 0).all()


def test_conversions_of_a_policy_and_what_no_image_is(tmp_path):
    (tmp_path / "in").mkdir()
    noise("I;16").save(tmp_path / "in" / "a.png")
    noise("RGB").save(tmp_path / "in" / "frames.gif", save_all=True, append_images=[noise("L")])
    Image.fromarray(np.full((4, 4), 7.0, np.float32)).save(tmp_path / "in" / "hot.tiff")
    made = apply(tmp_path / "in", tmp_path / "out", af.pipeline(af.to_float(), af.hflip(), af.to_uint8()))
    assert load(tmp_path / "out" / "a.png").mode == "L"
    errors = {r["source"]: r["error"] for r in made.failures}
    assert "2 frames in one file" in errors["frames.gif"]
    assert "values beyond full scale" in errors["hot.tiff"]


def test_formats_and_quality(tmp_path):
    source = images(tmp_path / "in")
    sizes = []
    for quality in (30, 90):
        made = apply(source, tmp_path / f"q{quality}", POLICY, format="jpg", quality=quality)
        assert all(r["output"].endswith(".jpg") for r in made.done)
        sizes.append(sum((made.out / r["output"]).stat().st_size for r in made.done))
    assert sizes[0] < sizes[1]
