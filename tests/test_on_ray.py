"""On Ray: a cluster of several processes on the loopback address, whose workers are killed."""

import logging
import os
import signal
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import augfn as af
from augfn.distributed import indexed, ray_map
from augfn.offline import ENGINES, Job, apply, ray_engine
from augfn.offline.engines import WorkersDied
from augfn_nn import AugmentationSequential, ColorJitter, RandomHorizontalFlip, RandomRotation

ray = pytest.importorskip("ray")
pytest.importorskip("ray.data")

N = 24
F = af.pipeline(
    af.to_float(),
    af.hflip(p=0.5),
    af.rotate(degrees=(-30, 30)),
    af.gaussian_blur(sigma=(0.5, 1.5), kernel_size=5),
    af.to_uint8(),
)
COLUMNS = {"image": "image", "bbox": "boxes_xywh"}
KEY = af.key(3)


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """Two CPUs, and a GPU by name, so that there are actors; quiet."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", category=DeprecationWarning, module=r"ray\.data\.context"
        )  # Ray's of its own settings
        ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}
    ray.init("local", num_cpus=2, num_gpus=1, **quiet)
    yield
    ray.shutdown()


def image(i, ragged):
    return np.random.default_rng(i).integers(0, 256, (16 + ragged * (i % 3), 20, 3), np.uint8)


def rows(ragged=True):
    return [
        {
            "index": i,
            "image": image(i, ragged),
            "bbox": [[2.0, 3.0, 8.0, 9.0], [18.0, 1.0, 2.0, 2.0]][: i % 3],
            "name": f"n{i}",
        }
        for i in range(N)
    ]


def alone(row, epoch=0):
    """The sample by itself, in this process."""
    boxes = af.Boxes(torch.tensor(row["bbox"]).reshape(-1, 4), "xywh")
    x = {"image": torch.from_numpy(row["image"]).permute(2, 0, 1).contiguous(), "boxes_xywh": boxes}
    y, _ = F(x, None, af.sample_keys(KEY, row["index"], epoch))
    return y["image"].permute(1, 2, 0).numpy(), y["boxes_xywh"]


def found(dataset):
    """The rows by their index, each of which is there once."""
    made = dataset.take_all()
    assert sorted(r["index"] for r in made) == list(range(N))
    return sorted(made, key=lambda r: r["index"])


def check(made, ragged, epoch=0):
    for row, got in zip(rows(ragged), made, strict=True):
        pixels, boxes = alone(row, epoch)
        np.testing.assert_array_equal(got["image"], pixels)
        np.testing.assert_array_equal(got["bbox"], boxes.data)
        np.testing.assert_array_equal(got["bbox_valid"], boxes.valid)
        assert got["name"] == row["name"]
        assert got["image"].dtype == np.uint8


@pytest.mark.parametrize("ragged", [True, False])
@pytest.mark.parametrize(("blocks", "size"), [(1, 5), (4, 32), (12, 2)])
def test_any_blocks_and_batches_give_the_same_bytes(ragged, blocks, size):
    data = ray.data.from_items(rows(ragged), override_num_blocks=blocks)
    check(found(ray_map(data, F, COLUMNS, KEY, epoch=2, batch_size=size)), ragged, 2)


def test_order_does_not_matter():
    data = ray.data.from_items(rows()[::-1], override_num_blocks=3)
    check(found(ray_map(data, F, COLUMNS, KEY, concurrency=1)), True)


def test_samples_of_one_size_together():
    """A float may differ in its last bits, so that a byte is off by one at most."""
    made = found(ray_map(ray.data.from_items(rows()), F, COLUMNS, KEY, alone=False))
    for row, got in zip(rows(), made, strict=True):
        pixels, boxes = alone(row)
        assert np.abs(got["image"].astype(int) - pixels).max() <= 1
        np.testing.assert_allclose(got["bbox"], boxes.data, rtol=0, atol=1e-4)


def dying(marker):
    """F, in which a process dies by SIGKILL at its fifth sample; the first process that gets so far."""
    seen = []

    def step(x):
        seen.append(1)
        if len(seen) == 5 and not os.path.exists(marker):
            open(marker, "x").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return x

    return af.pipeline(af.to_float(), af.opaque(step), *[f for name, f in F.steps.items() if name != "to_float"])


@pytest.mark.parametrize("more", [{}, {"num_gpus": 0.5, "device": "cpu"}], ids=["tasks", "actors"])
def test_a_worker_is_killed_in_the_middle(tmp_path, more):
    """No sample is lost or doubled. (The GPU of the actors is one by name alone.)"""
    data = ray.data.from_items(rows(), override_num_blocks=2)
    made = found(ray_map(data, dying(tmp_path / "killed"), COLUMNS, KEY, batch_size=3, concurrency=1, **more))
    assert (tmp_path / "killed").exists()
    check(made, True)


def test_learned_params_and_modules():
    data = ray.data.from_items(rows(False))
    learned = {
        "degrees": af.Uniform(torch.nn.Parameter(torch.tensor(40.0)), torch.tensor(50.0, requires_grad=True) * 1)
    }
    f = af.pipeline(af.to_float(), af.rotate())
    made = found(ray_map(data, f, {"image": "image"}, KEY, params={"rotate": learned}))
    for i in (0, 7):
        y, _ = f(torch.from_numpy(image(i, False)).permute(2, 0, 1), {"rotate": learned}, af.sample_keys(KEY, i))
        np.testing.assert_array_equal(made[i]["image"], y.detach().permute(1, 2, 0).numpy())
    torch.manual_seed(0)
    floats = data.map_batches(lambda batch: batch | {"image": (batch["image"] / 255).astype(np.float32)})
    for same in (False, True):
        aug = AugmentationSequential(
            RandomHorizontalFlip(),
            RandomRotation(30.0),
            ColorJitter(brightness=0.2),
            data_keys=None,
            keepdim=True,
            same_on_batch=same,
        )
        local = af.AugmentedDataset(
            [torch.from_numpy(image(i, False) / 255).float().permute(2, 0, 1) for i in range(N)], aug, KEY
        )
        made = found(ray_map(floats, aug, {"image": "image"}, KEY))
        np.testing.assert_array_equal(made[5]["image"], local[5].permute(1, 2, 0).numpy())
        assert (
            found(ray_map(floats, aug.eval(), {"image": "image"}, KEY))[5]["image"].tolist()
            == (image(5, False) / 255).astype(np.float32).tolist()
        )


def test_masks_keypoints_and_layouts():
    def row(i):
        x = np.random.default_rng(i).random((3, 16, 20)).astype(np.float32)
        points = np.array([[3, 4], [30, 4]][: 1 + i % 2])
        return {
            "index": i,
            "image": x,
            "seg": (x[0] > 0.5).astype(np.int64),
            "points": points,
            "pose": np.ones((1, 4, 3)),
        }

    f = af.hflip(p=1.0)
    columns = {"image": "image", "seg": "mask", "points": "keypoints", "pose": "keypoints_pose"}
    made = found(ray_map(ray.data.from_items([row(i) for i in range(N)]), f, columns, KEY))
    for i, got in enumerate(made):
        np.testing.assert_array_equal(got["image"], row(i)["image"][..., ::-1])
        np.testing.assert_array_equal(got["seg"], row(i)["seg"][:, ::-1])
        assert got["seg"].dtype == np.int64
        assert got["points"].tolist() == [[16, 4], [-11, 4]][: 1 + i % 2]
        assert got["points_visible"].tolist() == [True, False][: 1 + i % 2]
        assert got["pose"].tolist() == [[[18, 1, 1]] * 4]


def test_indices_in_the_order_of_the_data_set():
    data = ray.data.from_items([{"image": image(i, True), "was": i} for i in range(N)], override_num_blocks=7)
    slow = data.map_batches(
        lambda batch: time.sleep(0.2 * (batch["was"][0] < 4)) or batch
    )  # the first block is done last
    made = found(ray_map(indexed(slow), F, {"image": "image"}, KEY))
    assert [r["was"] for r in made] == list(range(N))
    assert not slow.context.execution_options.preserve_order
    with pytest.raises(ValueError, match="is there"):
        indexed(ray.data.range(3), "id")


def test_mistakes():
    data = ray.data.from_items([{"image": image(0, False), "index": 0}])
    call = {"dataset": data, "f": F, "columns": {"image": "image"}, "key": KEY}
    for change, match in [
        ({"index": "id"}, r"augfn\.distributed\.indexed"),
        ({"columns": {"picture": "image"}}, "no column 'picture'"),
        ({"columns": {}}, "names of columns"),
        ({"columns": {"image": "imag"}}, "not known"),
        ({"columns": {"image": "image", "index": "other"}}, "leave it out"),
        ({"columns": {"image": "image", "index": "image"}}, "a target for each"),
        ({"f": af.pipeline(af.to_float(), af.mixup())}, "mixes samples"),
        ({"f": af.views(af.hflip(), af.hflip())}, "several views"),
        ({"f": lambda x: x}, "not an augmentation"),
        ({"key": 3}, r"af\.key\(3\)"),
    ]:
        with pytest.raises((TypeError, ValueError), match=match):
            ray_map(**call | change)


def test_an_index_that_is_none():
    """A column of fractions; and no rows at all."""
    data = ray.data.from_items([{"image": image(0, False), "index": 0.5}])
    with pytest.raises(ray.exceptions.RayTaskError, match="whole numbers"):
        ray_map(data, F, {"image": "image"}, KEY).take_all()
    none = data.map_batches(lambda batch: {name: values[:0] for name, values in batch.items()})
    assert ray_map(none, F, {"image": "image"}, KEY).count() == 0


@pytest.mark.cuda
def test_actors_on_a_gpu():
    made = found(ray_map(ray.data.from_items(rows()), F, COLUMNS, KEY, num_gpus=1))
    for row, got in zip(rows(), made, strict=True):
        assert np.abs(got["image"].astype(int) - alone(row)[0]).max() <= 2


@pytest.mark.parametrize(
    ("value", "f", "match"),
    [
        (np.zeros((6, 6, 3), np.uint8), af.hflip(), r"af\.to_float"),
        (np.zeros((4, 4, 4), np.uint8), F, "axes"),
        (b"bytes", F, "decode"),
    ],
)
def test_mistakes_in_the_workers(value, f, match):
    data = ray.data.from_items([{"picture": value, "index": 0}])
    with pytest.raises(ray.exceptions.RayTaskError, match=match):
        ray_map(data, f, {"picture": "image"}, KEY).take_all()


# the engine of `augfn apply`


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "in").mkdir()
    for i in range(N):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (96, 96, 3), np.uint8)).save(
            tmp_path / "in" / f"{i:02d}.png"
        )
    return tmp_path / "in"


def bytes_in(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def workers():
    """The processes of this cluster's workers that run jobs."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            pid, title = int(folder.name), (folder / "cmdline").read_bytes()
            parents[pid] = int((folder / "stat").read_text().rpartition(")")[2].split()[1]), title
        except OSError:
            continue  # it has ended
    own = [pid for pid, (parent, _) in parents.items() if parent == os.getpid()]  # raylet is one of them
    return [pid for pid, (parent, title) in parents.items() if parent in own and title.startswith(b"ray::done")]


POLICY = af.pipeline(af.hflip(p=0.5), af.rotate(degrees=(-30, 30)), af.gaussian_blur(sigma=(0.5, 1.5), kernel_size=5))


def test_apply_survives_killed_workers(photos, tmp_path):
    """No output is lost or doubled, and the bytes are those of the local engine."""
    killed, lines = [], []

    def kill():
        journal = tmp_path / "ray" / ".augfn" / "journal.jsonl"
        while len(killed) < 2:
            n = journal.read_bytes().count(b"\n") if journal.exists() else 0
            if n >= 3 * (1 + len(killed)) and (pids := workers()):
                lines.append(n)
                killed.append(pids[0])
                os.kill(pids[0], signal.SIGKILL)
            time.sleep(0.001)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    made = apply(photos, tmp_path / "ray", POLICY, copies=3, workers=2, engine="ray")
    thread.join(10)
    assert len(killed) == 2
    assert max(lines) < 3 * N
    assert [(r["index"], r["copy"]) for r in made.records] == [(i, c) for i in range(N) for c in range(3)]
    assert not made.failures
    apply(photos, tmp_path / "local", POLICY, copies=3)
    assert bytes_in(tmp_path / "ray") == bytes_in(tmp_path / "local")


def test_what_a_job_raises_stops_the_run():
    def full(job):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        list(ENGINES["ray"](full, [Job(0, 0)], 2))
    assert caught.value.errno == 28


def test_a_job_whose_worker_always_dies(monkeypatch):
    monkeypatch.setattr(ray_engine, "RESTARTS", 0)
    with pytest.raises(WorkersDied, match="1 jobs are left"):
        list(ENGINES["ray"](lambda job: os.kill(os.getpid(), signal.SIGKILL), [Job(0, 0)], 1))


def test_no_jobs_start_no_cluster():
    assert list(ENGINES["ray"](len, [], 2)) == []
