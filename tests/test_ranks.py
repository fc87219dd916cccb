"""Ranks of a training: one, two or four see the same samples, alone, under DistributedDataParallel and sharded."""

import warnings

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor.debug import CommDebugMode
from torch.multiprocessing.spawn import spawn, start_processes
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import ConcatDataset, DataLoader, IterableDataset, Subset

import augfn as af
import augfn_nn as A
from augfn.distributed import IndexedDataset, RankSampler
from augfn.run.peek import peek

WORLDS, EPOCHS, BATCH = (1, 2, 4), 2, 8
KEY = af.key(7)
IMAGES = list(torch.rand(30, 3, 16, 16, generator=torch.Generator().manual_seed(0)))  # four do not divide them
F = af.pipeline(af.hflip(p=0.5), af.rotate(degrees=(-30, 30)), af.brightness(factor=(0.8, 1.2)), af.gaussian_noise())
WRAPS = {"alone": lambda m: m, "ddp": DistributedDataParallel, "fsdp": fully_shard}


class Trained(nn.Module):
    """A model that augments by index, or does not; its ranges learn, or do not."""

    def __init__(self, augmented=True, learns=False):
        super().__init__()
        degrees, factor = (torch.tensor(bounds) for bounds in ((-30.0, 30.0), (0.8, 1.2)))
        if learns:
            degrees, factor = nn.Parameter(degrees), nn.Parameter(factor)
        self.aug = A.AugmentationSequential(
            A.RandomHorizontalFlip(), A.RandomRotation(degrees, p=1.0), A.RandomBrightness(factor, p=1.0)
        )
        self.aug.reseed(7)
        self.augmented = augmented
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))

    def forward(self, x, index, epoch):
        y = self.aug(x, index=index, epoch=epoch) if self.augmented else x
        return y, self.net(y).clone()


def epochs_of(data, step):
    """What `step` makes of the batches of two epochs: (index, result) of each epoch."""
    sampler = RankSampler(data, seed=1)
    loader = DataLoader(data, BATCH // sampler.num_replicas, sampler=sampler)
    found = []
    for epoch in range(EPOCHS):
        sampler.set_epoch(epoch)
        parts = [(index, step(x, index, epoch)) for x, index in loader]
        found.append(tuple(torch.cat(p) for p in zip(*parts, strict=True)))
    return found


def trained(wrap):
    """A training whose model augments the batches."""
    model = wrap(Trained())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(x, index, epoch):
        y, out = model(x, index, epoch)
        out.square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        return y.detach()

    return epochs_of(IndexedDataset(IMAGES), step)


def collectives(wrap, augmented):
    """How many of each kind a step takes."""
    model, (x, index) = wrap(Trained(augmented, learns=augmented)), own_part()
    model(x, index, 0)[1].sum().backward()  # the first step may set things up
    with CommDebugMode() as mode:
        model(x, index, 0)[1].sum().backward()
    return {str(kind): n for kind, n in mode.get_comm_counts().items()}


def learned(wrap):
    """The ranges' gradients, and the ranges after a step."""
    model, (x, index) = wrap(Trained(learns=True)), own_part()
    ranges = [p for name, p in model.named_parameters() if "bounds" in name]
    optimizer = torch.optim.SGD(ranges, 10.0)
    y, out = model(x, index, 3)
    (out.square().mean() + (y * torch.linspace(-9, 9, 16)).mean()).backward()
    grads = [whole(p.grad).clone() for p in ranges]
    optimizer.step()
    return torch.stack([*grads, *(whole(p.detach()) for p in ranges)])


def own_part():
    index = torch.arange(BATCH)[dist.get_rank() :: dist.get_world_size()]
    return torch.stack(IMAGES)[index], index


def whole(t):
    return t.full_tensor() if hasattr(t, "full_tensor") else t


def on_rank(rank, folder, world):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store{world}", rank=rank, world_size=world)
    found = {
        "loader": epochs_of(IndexedDataset(af.AugmentedDataset(IMAGES, F, KEY)), lambda x, index, epoch: x),
        "batch": epochs_of(
            IndexedDataset(IMAGES), lambda x, index, epoch: F(x, None, af.sample_keys(KEY, index, epoch))[0]
        ),
    }
    found |= {how: trained(wrap) for how, wrap in WRAPS.items()}
    kinds = {how: [collectives(wrap, augmented) for augmented in (False, True)] for how, wrap in WRAPS.items()}
    torch.save((found, kinds, {how: learned(WRAPS[how]) for how in ("ddp", "fsdp")}), f"{folder}/{world}-{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


def launch(_, folder):
    """One process imports torch, and all ranks are forked from it."""
    warnings.simplefilter("ignore")
    for world in WORLDS:
        start_processes(on_rank, (folder, world), nprocs=world, start_method="fork")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """What each rank of each world has found: `[world][rank]`."""
    folder = tmp_path_factory.mktemp("ranks")
    spawn(launch, (str(folder),), nprocs=1)
    return {world: [torch.load(folder / f"{world}-{rank}.pt") for rank in range(world)] for world in WORLDS}


@pytest.mark.parametrize("how", ["loader", "batch", *WRAPS])
def test_the_samples_of_any_number_of_ranks(ran, how):
    """By index, byte for byte, those that the rule gives without any ranks; a repeated one too."""
    module = Trained()
    for epoch in range(EPOCHS):
        if how in WRAPS:
            want = module.aug(torch.stack(IMAGES), index=range(30), epoch=epoch)
        else:
            keys = af.sample_keys(KEY, range(30), epoch)
            want = torch.stack([F(x, None, k)[0] for x, k in zip(IMAGES, keys, strict=True)])
        for world in WORLDS:
            parts = [ran[world][rank][0][how][epoch] for rank in range(world)]
            index, seen = (torch.cat(p) for p in zip(*parts, strict=True))
            assert len(index) == -(-30 // world) * world
            assert set(index.tolist()) == set(range(30))
            assert torch.equal(seen, want[index])


def test_batches_are_those_of_one_rank(ran):
    for world in WORLDS:
        parts = [ran[world][rank][0]["loader"][1][0].split(BATCH // world) for rank in range(world)]
        for k, batch in enumerate(ran[1][0][0]["loader"][1][0].split(BATCH)[:3]):
            assert torch.equal(torch.stack([p[k] for p in parts], 1).flatten(), batch)


@pytest.mark.parametrize("how", WRAPS)
@pytest.mark.parametrize("world", WORLDS[1:])
def test_augmentation_adds_no_collective(ran, world, how):
    for rank in range(world):
        without, augmented = ran[world][rank][1][how]
        assert augmented == without
        assert bool(without) == (how != "alone")


@pytest.mark.parametrize("how", ["ddp", "fsdp"])
def test_gradients_of_ranges_are_averaged(ran, how):
    alone = ran[1][0][2]["ddp"]
    assert (alone[:2].abs() > 1e-4).all()
    for world in WORLDS:
        each = [ran[world][rank][2][how] for rank in range(world)]
        assert all(torch.equal(found, each[0]) for found in each)
        torch.testing.assert_close(each[0], alone, rtol=1e-3, atol=1e-6)


def test_a_peek_leaves_a_parameter_resizable():
    """A sharded net frees the storage of its parameters."""
    p = nn.Parameter(torch.rand(2))
    assert peek(p) is not None
    assert p.untyped_storage().resizable()


def test_a_sampler_of_every_sample():
    def orders(n, **options):
        return [list(RankSampler(range(7), n, rank, shuffle=False, **options)) for rank in range(n)]

    assert orders(1) == [list(range(7))]
    assert orders(2) == [[0, 2, 4, 6], [1, 3, 5, 0]]
    assert orders(2, drop_last=True) == [[0, 2, 4], [1, 3, 5]]
    assert orders(2, pad=False) == [[0, 2, 4, 6], [1, 3, 5]]
    assert orders(9, pad=False) == [[i] if i < 7 else [] for i in range(9)]
    for rank in range(4):
        shuffled = RankSampler(range(7), 4, rank, pad=False)
        assert len(list(shuffled)) == len(shuffled) == (1 if rank == 3 else 2)


def test_an_order_of_its_own_for_each_epoch():
    sampler = RankSampler(range(30))
    first = list(sampler)
    with pytest.warns(UserWarning, match=r"epoch 0 once more.*sampler\.set_epoch"):
        assert list(sampler) == first
    sampler.set_epoch(1)
    assert list(sampler) != first
    assert sorted(first) == list(range(30))
    still = RankSampler(range(30), shuffle=False)
    assert list(still) == list(still) == list(range(30))


def test_the_epoch_reaches_what_a_dataset_is_made_of():
    parts = [af.AugmentedDataset(IMAGES, F, KEY) for _ in range(3)]
    data = IndexedDataset(ConcatDataset([Subset(parts[0], range(5)), parts[1], af.AugmentedDataset(parts[2], F, KEY)]))
    RankSampler(data).set_epoch(4)
    assert [int(p.epoch) for p in parts] == [4, 4, 4]
    vars(parts[0]).update(datasets=None, dataset=data)  # a name that others use for other things, and a circle
    RankSampler(data).set_epoch(5)
    assert [int(p.epoch) for p in parts] == [5, 5, 5]


def test_indices_of_samples():
    pairs = IndexedDataset([(x, 3) for x in IMAGES])
    assert pairs[-1][1:] == (3, 29)
    assert IndexedDataset(IMAGES)[5][1] == 5
    assert Subset(pairs, [8])[0][2] == 8
    assert IndexedDataset(Subset(pairs, [8]))[0][2:] == (8, 0)
    batch = af.collate([IndexedDataset([{"image": x} for x in IMAGES])[i] for i in (4, 2)])
    assert batch["other_index"].tolist() == [4, 2]
    y, _ = F(batch, None, af.sample_keys(KEY, batch["other_index"]))  # the name passes through
    assert y["other_index"].tolist() == [4, 2]


class Stream(IterableDataset):
    def __iter__(self):
        return iter(range(3))

    def __len__(self):
        return 3


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ({"num_replicas": 2}, "both or neither"),
        ({"num_replicas": 2, "rank": 2}, "0 <= rank < num_replicas"),
        ({"drop_last": True, "pad": False}, "one of them"),
        ({"num_replicas": 9, "rank": 0, "drop_last": True}, "fewer ranks"),
        ({"dataset": []}, "more samples"),
    ],
)
def test_samplers_that_cannot_be(given, advice):
    with pytest.raises(ValueError, match=advice):
        RankSampler(**{"dataset": range(7), **given})


def test_a_sampler_of_a_stream():
    with pytest.raises(TypeError, match=r"wds\.split_by_node"):
        RankSampler(Stream())


def test_ranks_without_a_process_group(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(RuntimeError, match=r"init_process_group\(\) first"):
        RankSampler(range(7))
    assert len(RankSampler(range(7), 4, 1)) == 2
