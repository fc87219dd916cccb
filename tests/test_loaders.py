"""Loaders that people use: the recipes of the page on clusters, and its training script, as they are printed there."""

import io
import tarfile
from types import SimpleNamespace

import datasets
import numpy as np
import torch
import torch.distributed as dist
import webdataset as wds
from PIL import Image
from torch.utils.data import DataLoader

import augfn as af
from augfn.distributed import RankSampler
from benchmarks import cluster

N, KEY = 12, af.key(5)
BYTES = np.random.default_rng(0).integers(0, 256, (N, 16, 16, 3), dtype=np.uint8)
SAMPLES = [(af.to_float(x), i) for i, x in enumerate(BYTES)]  # the label is the index
F = af.pipeline(af.hflip(p=0.5), af.rotate(degrees=(-30, 30)), af.gaussian_noise())


def expected(epoch):
    return [F(x, None, af.sample_keys(KEY, i, epoch))[0] for x, i in SAMPLES]


def run(code, **given):
    """What a recipe hands to `train`: its names, and (image, index) in the order of the calls."""
    seen = []

    def train(x, label):
        seen.extend(zip(x, label.tolist(), strict=True))

    names = {"torch": torch, "af": af, "DataLoader": DataLoader, "RankSampler": RankSampler, "train": train}
    names |= {"augment": F, "key": KEY, "samples": SAMPLES, **given}
    exec(code, names)
    return SimpleNamespace(**names), seen


def check(seen, epochs=2):
    """Each sample once in each epoch, augmented by its index and the epoch."""
    assert len(seen) == N * epochs
    for epoch in range(epochs):
        part, want = seen[epoch * N : (epoch + 1) * N], expected(epoch)
        assert sorted(i for _, i in part) == list(range(N))
        assert all(torch.equal(x, want[i]) for x, i in part)


def test_a_dataset_with_indices():
    check(run(cluster.DATASET)[1])


def shards_of(folder, name):
    """Three shards of four images."""
    urls = []
    for s in range(3):
        urls.append(f"{folder}/{s}.tar")
        with tarfile.open(urls[-1], "w") as tar:
            for i in range(4 * s, 4 * s + 4):
                png = io.BytesIO()
                Image.fromarray(BYTES[i]).save(png, "png")
                for suffix, content in (("png", png.getvalue()), ("cls", str(i).encode())):
                    member = tarfile.TarInfo(f"{name(i)}.{suffix}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
    return urls


def test_webdataset(tmp_path):
    check(run(cluster.WEBDATASET, wds=wds, urls=shards_of(tmp_path, "{:06d}".format))[1])


def table_of_images():
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    columns = {"image": [Image.fromarray(x) for x in BYTES], "label": list(range(N))}
    return datasets.Dataset.from_dict(columns, features)


def test_hugging_face():
    names, seen = run(cluster.HUGGING_FACE, rows=table_of_images())
    check(seen)
    names.epoch.fill_(0)
    moved = names.rows.select([11, 3]).with_transform(names.augmented)[1]
    assert moved["image"].equal(expected(0)[3])


def test_hugging_face_rows_in_an_augmented_dataset():
    f = af.pipeline(af.to_float(), F)
    data = af.AugmentedDataset(table_of_images().with_format("torch"), f, KEY)
    data.set_epoch(1)
    want, _ = f(torch.from_numpy(BYTES[7]).movedim(-1, 0), None, af.sample_keys(KEY, 7, 1))
    assert data[7]["image"].equal(want)
    assert int(data[7]["label"]) == 7


class Trainer:
    """What a trainer of Lightning's does with a data module, in few words."""

    def __init__(self, max_epochs):
        self.epochs = max_epochs

    def fit(self, module, datamodule):
        datamodule.setup("fit")
        train, valid = datamodule.train_dataloader(), datamodule.val_dataloader()
        for epoch in range(self.epochs):
            for sampler in (train.sampler, valid.sampler):
                sampler.set_epoch(epoch)
            for i, batch in enumerate(train):
                module.training_step(batch, i)
            for i, batch in enumerate(valid):
                module.validation_step(batch, i)


def test_a_data_module_of_lightning():
    names, _ = run(cluster.LIGHTNING, L=SimpleNamespace(LightningDataModule=object))
    seen, plain = [], []
    module = SimpleNamespace(
        training_step=lambda batch, i: seen.extend(zip(batch[0], batch[1].tolist(), strict=True)),
        validation_step=lambda batch, i: plain.extend(batch[0]),
    )
    Trainer(2).fit(module, names.Photos())
    check(seen)
    assert all(x.equal(SAMPLES[i % N][0]) for i, x in enumerate(plain))


def test_the_epoch_goes_on_to_a_dataset_within():
    inner = af.AugmentedDataset(SAMPLES, F, KEY)
    outer = af.AugmentedDataset(inner, af.views(af.hflip(p=0.5), 2), af.key(6))
    outer.set_epoch(1)
    assert inner[2][0].equal(expected(1)[2])


def test_the_script_of_a_cluster(tmp_path, monkeypatch):
    """It trains, and goes on from its checkpoint."""
    alone = {"init_method": f"file://{tmp_path}/store", "rank": 0, "world_size": 1}
    start, set_epoch, epochs = dist.init_process_group, RankSampler.set_epoch, []
    monkeypatch.setattr(dist, "init_process_group", lambda backend: start(backend, **alone))
    monkeypatch.setattr(RankSampler, "set_epoch", lambda self, e: (epochs.append(e), set_epoch(self, e)))
    monkeypatch.chdir(tmp_path)
    for told in ([0, 1], []):
        epochs.clear()
        exec(cluster.TRAINING, {})
        assert epochs == told
        assert torch.load("last.pt")[0] == 2
        assert not dist.is_initialized()
