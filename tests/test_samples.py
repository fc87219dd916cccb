"""The identity of samples: a draw that depends on the index and the epoch alone."""

import copy

import pytest
import torch
from torch.utils.data import DataLoader, Dataset, DistributedSampler

import augfn as af
from augfn_nn import Augment, AugmentationSequential, ColorJitter, RandomHorizontalFlip, RandomRotation

IMAGES = torch.rand(30, 3, 8, 8, generator=torch.Generator().manual_seed(0))
F = af.pipeline(af.hflip(p=0.5), af.rotate(degrees=(-30, 30)), af.gaussian_noise(std=0.1))


class Numbered(Dataset):
    def __len__(self):
        return len(IMAGES)

    def __getitem__(self, i):
        return IMAGES[i], i


def epoch_of(loader):
    """All images of an epoch, in the order of their indices."""
    batches = list(loader)
    images, index = (torch.cat([b[k] for b in batches]) for k in (0, 1))
    return images[index.argsort()]


def sequential():
    torch.manual_seed(3)
    return AugmentationSequential(
        RandomHorizontalFlip(), RandomRotation(30.0), ColorJitter(brightness=0.2, contrast=0.2), data_keys=None
    )


def test_keys_of_samples():
    keys = af.sample_keys(af.key(0), torch.arange(5), epoch=2)
    assert keys.equal(torch.stack([af.fold_in(af.fold_in(af.key(0), 2), i) for i in range(5)]))
    assert af.sample_keys(af.key(0), [4, 0], epoch=2).equal(keys[[4, 0]])
    assert len({tuple(k) for e in range(3) for k in af.sample_keys(af.key(0), range(5), e).tolist()}) == 15


@pytest.mark.parametrize("context", [None, "fork", "spawn"])
def test_a_dataset_on_any_number_of_workers(context):
    data = af.AugmentedDataset(Numbered(), F, af.key(0))
    expected = torch.stack([F(IMAGES[i], None, af.sample_keys(af.key(0), i))[0] for i in range(30)])
    workers = (
        {} if context is None else {"num_workers": 2, "multiprocessing_context": context, "persistent_workers": True}
    )
    loader = DataLoader(data, 7, shuffle=True, **workers)
    torch.testing.assert_close(epoch_of(loader), expected, rtol=0, atol=1e-4)
    data.set_epoch(1)  # which workers that persist hear of
    later = torch.stack([F(IMAGES[i], None, af.sample_keys(af.key(0), i, 1))[0] for i in range(30)])
    torch.testing.assert_close(epoch_of(loader), later, rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [1, 7, 30])
def test_modules_draw_by_index(size):
    aug = sequential()
    whole = aug(IMAGES, index=torch.arange(30), epoch=4)
    drawn = aug._params
    order = torch.randperm(30).split(size)
    parts = [aug(IMAGES[i], index=i, epoch=4) for i in order]
    torch.testing.assert_close(torch.cat(parts), whole[torch.cat(order)], rtol=0, atol=1e-4)
    aug(IMAGES[order[0]], index=order[0], epoch=4)
    path = ("random_rotation" if "random_rotation" in drawn else "rotate", "degrees")
    assert aug._params[path[0]][path[1]].equal(drawn[path[0]][path[1]][order[0]])
    assert not aug(IMAGES, index=range(30), epoch=5).equal(whole)


def test_any_number_of_ranks():
    data = Numbered()
    aug = Augment(F)
    aug.reseed(7)
    whole = aug(IMAGES, index=range(30))
    for ranks in (2, 3):
        for rank in range(ranks):
            sampler = DistributedSampler(data, ranks, rank, shuffle=True, seed=1)
            for x, i in DataLoader(data, 4, sampler=sampler):
                torch.testing.assert_close(aug(x, index=i), whole[i], rtol=0, atol=1e-4)


def test_a_module_keeps_its_key():
    one, other = sequential(), sequential()
    assert one.key.equal(other.key)
    other.reseed(5)
    assert other.key.equal(af.key(5))
    y = other(IMAGES, index=range(30))
    assert copy.deepcopy(other)(IMAGES, index=range(30)).equal(y)
    one.load_state_dict(other.state_dict())
    assert one(IMAGES, index=range(30)).equal(y)
    assert one.half().key.dtype == torch.int64
    assert one.to("meta").key.device.type == "cpu"


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ({"epoch": 1}, "index=dataset_indices"),
        ({"index": range(30), "generator": af.key(0)}, "a generator too"),
        ({"index": range(29)}, r"indices \[30\], one for each"),
        ({"index": [3]}, r"indices \[30\], one for each"),
        ({"index": 3}, r"index=\[3\]"),
    ],
)
def test_draws_by_index_that_cannot_be(given, advice):
    with pytest.raises(ValueError, match=advice):
        sequential()(IMAGES, **given)


def test_what_a_dataset_gives():
    key = af.key(0)
    tensors = af.AugmentedDataset(IMAGES, F, key)
    dicts = af.AugmentedDataset([{"image": x, "keypoints": torch.rand(2, 2)} for x in IMAGES], F, key)
    module = af.AugmentedDataset(Numbered(), Augment(F, keepdim=True), key)
    assert tensors[3].equal(dicts[3]["image"])
    assert module[3][0].equal(tensors[3])
    assert module[3][1] == 3
    assert tensors[-1].equal(tensors[29])
    assert len(tensors) == 30


def test_modules_of_a_dataset_keep_the_rank():
    key = af.key(0)
    with pytest.raises(ValueError, match="keepdim=True"):
        af.AugmentedDataset(IMAGES, Augment(F), key)
    shared = af.AugmentedDataset(IMAGES, Augment(F, keepdim=True, same_on_batch=True), key)
    assert shared[2].shape == IMAGES[2].shape


def test_a_dataset_of_tuples_with_data_keys():
    image, mask = torch.rand(3, 8, 8), torch.zeros(8, 8, dtype=torch.long)
    mask[:, :4] = 1
    aug = AugmentationSequential(RandomHorizontalFlip(p=1.0), data_keys=["input", "mask"], keepdim=True)
    y, m, label = af.AugmentedDataset([(image, mask, 3)], aug, af.key(0))[0]
    assert y.equal(image.flip(-1))
    assert m.equal(mask.flip(-1))
    assert label == 3


def test_a_mask_beside_an_image_that_moves():
    image, mask = torch.rand(3, 8, 8), torch.zeros(8, 8, dtype=torch.uint8)
    for rest in (mask, mask.numpy(), {"boxes": torch.rand(1, 4)}, af.Boxes(torch.rand(1, 4))):
        moved = af.AugmentedDataset([(image, rest)] * 2, F, af.key(0))
        with pytest.warns(UserWarning, match="passes on what lies on it"):
            moved[0]
        moved[1]  # once
    af.AugmentedDataset([(image, mask)], af.brightness(), af.key(0))[0]
    af.AugmentedDataset([(image, torch.tensor(3), image, "name")], F, af.key(0))[0]


def test_indices_lie_along_the_first_dims():
    aug = Augment(af.rotate())
    x = torch.rand(4, 2, 3, 8, 8)
    y = aug(x, index=[0, 1, 2, 3])
    assert aug._params["degrees"][:, 0].equal(aug._params["degrees"][:, 1])
    assert aug(x[2:], index=[2, 3]).equal(y[2:])
    with pytest.raises(TypeError, match=r"af\.to_float"):
        aug(x.numpy(), index=[0, 1, 2, 3])


def test_a_dataset_of_dicts_and_labels():
    aug = AugmentationSequential(RandomHorizontalFlip(p=1.0), data_keys=["input", "mask"], keepdim=True)
    image, mask = torch.rand(3, 8, 8), torch.zeros(8, 8, dtype=torch.long)
    y, label = af.AugmentedDataset([({"image": image, "mask": mask}, 7)], aug, af.key(0))[0]
    assert y["image"].equal(image.flip(-1))
    assert label == 7
    with pytest.raises(TypeError, match="not a tensor"):
        af.AugmentedDataset([(image, 7)], aug, af.key(0))[0]
    with pytest.raises(ValueError, match="data keys"):
        af.AugmentedDataset([(image,)], aug, af.key(0))[0]
