"""Trainers: a Lightning module whose hook augments, and a loop of accelerate's; each in a stand-in, and in the real package where
it is there."""

import contextlib
from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import augfn_nn as K

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs
DIGITS = load_digits()
X = torch.from_numpy(DIGITS.images / 16.0).float()[:192, None]
Y = torch.from_numpy(DIGITS.target[:192])


def batches():
    return DataLoader(TensorDataset(X, Y), batch_size=64)


def augmentations():
    bounds = nn.Parameter(torch.tensor([-10.0, 10.0]))
    return K.AugmentationSequential(
        K.RandomRotation(bounds, p=1.0), K.RandomAffine(5, (0.1, 0.1)), K.RandomInvert(p=0.1)
    )


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


class Trainer:
    """What a trainer of Lightning's does, in few words."""

    def __init__(self, max_epochs, **_):
        self.epochs, self.done, self.training = max_epochs, 0, False

    def fit(self, module, train, valid=(), ckpt_path=None, weights_only=None):
        module.trainer, optimizer = self, module.configure_optimizers()
        if ckpt_path is not None:
            state = torch.load(ckpt_path)
            module.load_state_dict(state["module"])
            optimizer.load_state_dict(state["optimizer"])
            self.done = state["done"]
        for _ in range(self.done, self.epochs):
            self.training = bool(module.train())
            for i, batch in enumerate(train):
                loss = module.training_step(module.on_after_batch_transfer(batch, 0), i)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            self.training = not module.eval()
            for i, batch in enumerate(valid):
                module.validation_step(module.on_after_batch_transfer(batch, 0), i)
            self.done += 1
        self.module, self.optimizer = module, optimizer

    def save_checkpoint(self, path):
        state = {"module": self.module.state_dict(), "optimizer": self.optimizer.state_dict(), "done": self.done}
        torch.save(state, path)


class Accelerator:
    """What accelerate does on one device, in few words."""

    def __init__(self, cpu):
        self.prepared = []

    def prepare(self, *parts):
        self.prepared = parts[:-1]
        return parts

    def backward(self, loss):
        loss.backward()

    def save_state(self, folder):
        torch.save([p.state_dict() for p in self.prepared], f"{folder}/state.pt")

    def load_state(self, folder):
        for part, state in zip(self.prepared, torch.load(f"{folder}/state.pt"), strict=True):
            part.load_state_dict(state)


LIGHTNING = {"emulated": lambda: SimpleNamespace(LightningModule=nn.Module, Trainer=Trainer)}
ACCELERATE = {"emulated": lambda: SimpleNamespace(Accelerator=Accelerator)}
for name in ("lightning.pytorch", "pytorch_lightning", "accelerate"):
    with contextlib.suppress(ModuleNotFoundError):
        if find_spec(name):
            known = ACCELERATE if name == "accelerate" else LIGHTNING
            known[name] = lambda name=name: import_module(name)


def module_of(base):
    class Lit(base):
        def __init__(self):
            super().__init__()
            self.aug, self.model, self.seen = augmentations(), network(), SimpleNamespace(train=[], valid=[])

        def on_after_batch_transfer(self, batch, dataloader_idx):
            x, y = batch
            return (self.aug(x) if self.trainer.training else x), y

        def training_step(self, batch, batch_idx):
            loss = F.cross_entropy(self.model(batch[0]), batch[1])
            self.seen.train.append(loss.detach())
            return loss

        def validation_step(self, batch, batch_idx):
            self.seen.valid.append(torch.equal(batch[0], X[batch_idx * 64 : batch_idx * 64 + 64]))

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), 0.02)

    return Lit()


def trainer_of(lightning, folder, epochs):
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return lightning.Trainer(max_epochs=epochs, accelerator="cpu", default_root_dir=folder, **quiet)


@pytest.mark.parametrize("name", LIGHTNING)
def test_a_lightning_trainer(name, tmp_path):
    """Augments in training alone, learns the range, and goes on from its checkpoint."""
    lightning = LIGHTNING[name]()
    lit = module_of(lightning.LightningModule)
    trainer = trainer_of(lightning, tmp_path, 6)
    trainer.fit(lit, batches(), batches())
    assert sum(lit.seen.train[-3:]) < 0.8 * sum(lit.seen.train[:3])
    assert all(lit.seen.valid)
    bounds = lit.aug[0].ranges.get_parameter("degrees/bounds")
    assert bounds.tolist() != [-10.0, 10.0]
    trainer.save_checkpoint(tmp_path / "at.ckpt")
    other = module_of(lightning.LightningModule)
    trainer_of(lightning, tmp_path, 7).fit(other, batches(), ckpt_path=tmp_path / "at.ckpt", weights_only=False)
    assert len(other.seen.train) == 3
    assert other.aug.key.equal(lit.aug.key)


@pytest.mark.parametrize("name", ACCELERATE)
def test_a_loop_of_accelerate(name, tmp_path):
    """What is prepared augments, learns, and is saved and loaded as a state."""
    accelerator = ACCELERATE[name]().Accelerator(cpu=True)
    aug, model = augmentations(), network()
    optimizer = torch.optim.Adam([*aug.parameters(), *model.parameters()], 0.02)
    aug, model, optimizer, loader = accelerator.prepare(aug, model, optimizer, batches())
    losses = []
    for _ in range(6):
        for x, y in loader:
            loss = F.cross_entropy(model(aug(x)), y)
            optimizer.zero_grad()
            accelerator.backward(loss)
            optimizer.step()
            losses.append(loss.detach())
    assert sum(losses[-3:]) < 0.8 * sum(losses[:3])
    accelerator.save_state(str(tmp_path))
    want = {n: v.clone() for n, v in aug.state_dict().items()}
    assert want["RandomRotation_0.ranges.degrees/bounds"].tolist() != [-10.0, 10.0]
    with torch.no_grad():
        aug.get_parameter("RandomRotation_0.ranges.degrees/bounds").zero_()
    accelerator.load_state(str(tmp_path))
    for name, value in aug.state_dict().items():
        assert torch.equal(value, want[name]), name
