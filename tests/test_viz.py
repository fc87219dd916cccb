"""What is drawn, and where."""

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.collections import PathCollection
from matplotlib.patches import Polygon

import augfn as af
from augfn.app import viz


def rectangles(ax):
    corners = [p.get_xy() for p in ax.patches if isinstance(p, Polygon)]
    return [(*map(float, c.min(0)), *map(float, c.max(0) - c.min(0))) for c in corners]


def points(ax):
    return torch.tensor([list(xy) for c in ax.collections if isinstance(c, PathCollection) for xy in c.get_offsets()])


def sample():
    mask = torch.zeros(8, 10, dtype=torch.int64)
    mask[1:4, 2:5], mask[5:, 7:] = 1, 3
    return {
        "image": torch.rand(3, 8, 10),
        "mask": mask,
        "boxes": af.Boxes(torch.tensor([[2.0, 1, 5, 4], [0, 0, 1, 1]]), valid=torch.tensor([True, False])),
        "keypoints": af.Keypoints(torch.tensor([[3.0, 2], [9, 7]]), torch.tensor([True, False])),
    }


def test_boxes_and_keypoints_lie_where_they_should():
    """Pixel centres are whole numbers on the axes: the box around the pixels 2..4 reaches from 1.5 to 4.5."""
    ax = viz.grid([sample()]).axes[0]
    assert rectangles(ax) == [(1.5, 0.5, 3.0, 3.0)]
    assert points(ax).tolist() == [[3.0, 2.0]]
    assert ax.get_xlim() == (-0.5, 9.5)
    assert ax.get_ylim() == (7.5, -0.5)


def test_formats_of_boxes_agree():
    corners = torch.tensor([[2.0, 1, 5, 4]])
    yolo = af.Boxes(torch.tensor([[3.5 / 10, 2.5 / 8, 3 / 10, 3 / 8]]), "yolo")
    image = torch.rand(1, 8, 10)
    drawn = [rectangles(viz.grid([{"image": image, "boxes": b}]).axes[0])[0] for b in (corners, yolo)]
    assert drawn[0] == pytest.approx(drawn[1])


def test_labels_have_colours_and_outlines():
    overlay = torch.tensor(viz.grid([sample()]).axes[0].images[1].get_array())
    assert overlay.shape == (8, 10, 4)
    assert (overlay[..., 3] > 0).equal(sample()["mask"] > 0)
    assert overlay[1, 2, 3] == 1
    assert 0 < overlay[2, 3, 3] < 1
    assert not overlay[2, 3, :3].equal(overlay[6, 8, :3])


def test_heat_maps_are_as_clear_as_they_are_low():
    heat = torch.zeros(2, 8, 10)
    heat[0, 2, 3], heat[1, 5, 6] = 2.0, 1.0
    ax = viz.grid([{"image": torch.rand(3, 8, 10), "heatmap": heat}]).axes[0]
    level, alpha = (torch.as_tensor(v) for v in (ax.images[1].get_array(), ax.images[1].get_alpha()))
    assert level.equal(heat.amax(0) / 2)
    assert (alpha > 0).equal(heat.amax(0) > 0)
    viz.grid([{"image": torch.rand(3, 8, 10), "heatmap": torch.zeros(1, 8, 10)}]).canvas.draw()


def test_mask_channels_are_labels():
    layers = torch.zeros(2, 6, 6, dtype=torch.bool)
    layers[0, :3], layers[1, 3:] = True, True
    overlay = torch.tensor(viz.grid([{"image": torch.rand(1, 6, 6), "mask": layers}]).axes[0].images[1].get_array())
    assert (overlay[..., 3] > 0).all()
    assert not overlay[0, 0].equal(overlay[5, 0])


def test_pixels_are_shown_as_they_are_and_clipped():
    image = torch.tensor([-1.0, 0.0, 0.25, 2.0]).expand(3, 4, 4)
    shown = torch.tensor(viz.grid([image]).axes[0].images[0].get_array())
    assert shown[0].tolist() == [[v] * 3 for v in (0.0, 0.0, 0.25, 1.0)]
    assert viz.grid([image[:1]]).axes[0].images[0].get_array().shape == (4, 4)


def test_rows_columns_and_titles():
    figure = viz.grid([torch.rand(3, 4, 4)] * 5, columns=3, titles=["a", "b"], rows=["first", "second"])
    assert [ax.get_visible() for ax in figure.axes] == [True] * 5 + [False]
    assert [ax.get_title() for ax in figure.axes] == ["a", "b", "", "", "", ""]
    assert [ax.get_ylabel() for ax in figure.axes] == ["first", "", "", "second", "", ""]
    assert plt.get_fignums() == []


def test_unbatch_takes_targets_apart():
    one = sample()
    batch = {k: torch.stack([v, v]) if isinstance(v, torch.Tensor) else v for k, v in one.items()}
    batch["boxes"] = af.Boxes(one["boxes"].data.expand(2, 2, 4), valid=one["boxes"].valid.expand(2, 2))
    batch["keypoints"] = af.Keypoints(one["keypoints"].xy.expand(2, 2, 2), one["keypoints"].visible.expand(2, 2))
    parts = viz.unbatch(batch)
    assert len(parts) == 2
    assert all(torch.equal(p["image"], one["image"]) for p in parts)
    assert rectangles(viz.grid(parts).axes[1]) == [(1.5, 0.5, 3.0, 3.0)]


def test_targets_by_given_name():
    figure = viz.grid([{"image": torch.rand(3, 4, 4), "seg": torch.ones(4, 4)}], targets={"seg": "mask"})
    assert len(figure.axes[0].images) == 2


def test_save_writes_the_figure(tmp_path):
    path = viz.save(viz.grid([sample()]), tmp_path / "grid.png")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_augmented_landmark_is_drawn_on_its_place():
    """A bright pixel, its keypoint and its box stay together in the picture after a turn."""
    image = torch.zeros(1, 9, 9)
    image[0, 2, 6] = 1
    given = {"image": image, "boxes": torch.tensor([[6.0, 2, 7, 3]]), "keypoints": torch.tensor([[6.0, 2]])}
    ax = viz.grid([af.rotate(degrees=90.0)(given)[0]]).axes[0]
    row, column = divmod(int(torch.tensor(ax.images[0].get_array()).argmax()), 9)
    assert points(ax)[0].tolist() == pytest.approx([column, row], abs=1e-4)
    assert rectangles(ax)[0] == pytest.approx((column - 0.5, row - 0.5, 1, 1), abs=1e-4)


@pytest.mark.parametrize("bad", [[], [torch.rand(2, 3, 4, 4)]])
def test_bad_input_is_named(bad):
    with pytest.raises(ValueError, match=r"unbatch\(batch\)"):
        viz.grid(bad)
