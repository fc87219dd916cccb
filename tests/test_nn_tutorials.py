"""Scripts of tutorials with the import changed: a pipeline that mixes, segmentation, detection, clips, patches, mosaics, a
Lightning module, a GAN."""

import numpy as np
import torch
from skimage.data import astronaut
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import augfn_nn as K

DIGITS = load_digits()
PHOTO = torch.from_numpy(astronaut()[None, ::4, ::4] / 255.0).movedim(-1, 1).float()


class MyAugmentationPipeline(nn.Module):
    """Colour and geometry on their own, then a mix of images and labels."""

    def __init__(self):
        super().__init__()
        self.aff = K.RandomAffine(360, p=0.5)
        self.jit = K.ColorJitter(0.2, 0.3, 0.2, 0.3, p=0.5)
        self.crop = K.RandomCrop((100, 100))
        self.mixup = K.RandomMixUp(p=1.0)

    def forward(self, input, label):
        input = self.crop(self.jit(self.aff(input)))
        return self.mixup(input, label)


def test_a_pipeline_that_mixes():
    images, labels = PHOTO.expand(4, -1, -1, -1), torch.tensor([0, 1, 2, 3])
    mixed, pairs = MyAugmentationPipeline()(images, labels)
    assert mixed.shape == (4, 3, 100, 100)
    logits = torch.randn(4, 5)
    own, partner, share = pairs[:, 0].long(), pairs[:, 1].long(), pairs[:, 2]
    loss = (1 - share) * F.cross_entropy(logits, own, reduction="none") + share * F.cross_entropy(
        logits, partner, reduction="none"
    )
    soft = F.one_hot(own, 5) * (1 - share[:, None]) + F.one_hot(partner, 5) * share[:, None]
    torch.testing.assert_close(loss, F.cross_entropy(logits, soft, reduction="none"))


def test_the_whole_pipeline_is_saved(tmp_path):
    """A module class of one's own is told to torch, as torch asks for."""
    aug = MyAugmentationPipeline()
    torch.save(aug, tmp_path / "aug.pt")
    with torch.serialization.safe_globals([MyAugmentationPipeline, set]):
        other = torch.load(tmp_path / "aug.pt", weights_only=True)
    assert other(PHOTO.expand(4, -1, -1, -1), torch.arange(4))[0].shape == (4, 3, 100, 100)
    aug.load_state_dict(other.state_dict())


class DataAugmentation(nn.Module):
    """On a batch, before the model, without a gradient."""

    def __init__(self, colour=False):
        super().__init__()
        self.colour = colour
        self.transforms = nn.Sequential(
            K.RandomHorizontalFlip(p=0.75), K.RandomChannelShuffle(p=0.75), K.RandomThinPlateSpline(p=0.75)
        )
        self.jitter = K.ColorJitter(0.5, 0.5, 0.5, 0.5)

    @torch.no_grad()
    def forward(self, x):
        x = self.transforms(x)
        return self.jitter(x) if self.colour else x


class Lit(nn.Module):
    """The hooks of a LightningModule that a trainer calls, without the trainer."""

    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(nn.Flatten(), nn.Linear(192, 10))
        self.preprocess, self.transform = K.Normalize(0.5, 0.5), DataAugmentation()

    def on_after_batch_transfer(self, batch, dataloader_idx):
        x, y = batch
        return (self.transform(x) if self.training else x), y

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.model(x), y)


def test_a_lightning_module():
    x = torch.from_numpy(DIGITS.images / 16.0).float()[:, None].expand(-1, 3, -1, -1)
    loader = DataLoader(TensorDataset(x[:256], torch.from_numpy(DIGITS.target[:256])), batch_size=64)
    lit, losses = Lit(), []
    optimizer = torch.optim.Adam(lit.model.parameters(), 0.05)
    for _ in range(8):
        for i, batch in enumerate(loader):
            loss = lit.training_step(lit.on_after_batch_transfer(batch, 0), i)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert np.mean(losses[-4:]) < 0.6 * np.mean(losses[:4])
    lit.eval()
    batch = next(iter(loader))
    assert lit.on_after_batch_transfer(batch, 0)[0] is batch[0]


def test_segmentation_and_detection():
    mask = (PHOTO.mean(1, keepdim=True) > 0.5).float()
    boxes, points = torch.tensor([[[20.0, 30.0, 60.0, 90.0]]]), torch.tensor([[[40.0, 60.0]]])
    steps = K.RandomAffine(30, p=1.0), K.RandomHorizontalFlip(p=1.0), K.ColorJiggle(0.2, 0.2, 0.2, 0.1, p=1.0)
    aug = K.AugmentationSequential(*steps, data_keys=["input", "mask", "bbox_xyxy", "keypoints"])
    y, m, b, k = aug(PHOTO, mask, boxes, points)
    assert {*m.unique().tolist()} <= {0.0, 1.0}
    low, high = b[0, 0, :2], b[0, 0, 2:]
    assert (low <= k[0, 0]).all()
    assert (k[0, 0] <= high).all()
    back = aug.inverse(y, m, b, k)
    torch.testing.assert_close(back[3], points, atol=1e-3, rtol=0)
    assert (back[1] == mask)[..., 40:90, 40:90].float().mean() > 0.97


def test_clips_patches_and_mosaics():
    clip = torch.stack([PHOTO.roll(4 * i, -1) for i in range(5)], 1)
    y = K.VideoSequential(K.RandomAffine(20, p=1.0), K.ColorJitter(0.1, 0.1, 0.1, 0.1, p=1.0))(clip)
    assert y.shape == clip.shape
    patches = K.PatchSequential(
        K.ImageSequential(
            K.ColorJitter(0.1, 0.1, 0.1, 0.1, p=0.5), K.RandomPerspective(0.2, p=0.5), K.RandomSolarize(0.1, 0.1, p=0.5)
        ),
        K.ColorJitter(0.1, 0.1, 0.1, 0.1),
        K.RandomAffine(360, p=1.0),
        K.RandomSolarize(0.1, 0.1, p=0.1),
        grid_size=(2, 2),
    )
    assert patches(PHOTO).shape == PHOTO.shape
    photos = torch.cat([PHOTO, PHOTO.flip(-1), PHOTO.flip(-2), PHOTO.mean(1, keepdim=True).expand(-1, 3, -1, -1)])
    boxes = torch.tensor([[[70.0, 5, 120, 100], [10, 80, 50, 120]]]).repeat(4, 1, 1)
    y, b = K.RandomMosaic(data_keys=["input", "bbox_xyxy"], p=1.0)(photos, boxes)
    assert (y.shape, b.shape) == (photos.shape, (4, 8, 4))
    inside = (b[..., 2] > b[..., 0]) & (b[..., 3] > b[..., 1])
    assert (b[inside] >= 0).all()
    assert (b[inside] <= 128).all()


def test_a_gan():
    """The discriminator's accuracy on real images moves the share that is augmented; fakes pass through it with a gradient."""
    torch.manual_seed(0)
    real = torch.from_numpy(DIGITS.images / 16.0).float()[:, None].expand(-1, 3, -1, -1)
    generator = nn.Sequential(nn.Linear(4, 192), nn.Sigmoid(), nn.Unflatten(1, (3, 8, 8)))
    discriminator = nn.Sequential(nn.Flatten(), nn.Linear(192, 1))
    known = {"initial_p": 0.2, "adjustment_speed": 0.05, "update_every": 1, "ema_lambda": 0.5, "target_real_acc": 0.6}
    aug = K.AdaptiveDiscriminatorAugmentation(**known)
    optimizers = [torch.optim.Adam(m.parameters(), 0.01) for m in (generator, discriminator)]
    for step in range(12):
        batch, fake = real[step * 64 : step * 64 + 64], generator(torch.randn(64, 4))
        score = discriminator(aug(batch))
        accuracy = float((score > 0).float().mean())
        loss = F.softplus(-score).mean() + F.softplus(discriminator(aug(fake.detach(), real_acc=accuracy))).mean()
        optimizers[1].zero_grad()
        loss.backward()
        optimizers[1].step()
        optimizers[0].zero_grad()
        F.softplus(-discriminator(aug(fake))).mean().backward()
        assert generator[0].weight.grad.abs().sum() > 0
        optimizers[0].step()
    assert 0.0 <= float(aug.p) <= 0.8
    assert float(aug.p) != 0.2
