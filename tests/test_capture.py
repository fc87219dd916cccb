"""Capture: what layers give, by name, type, pattern or node; hooks that are always removed; the same output."""

import re
import warnings

import pytest
import torch
from torch import nn

import augfn as af
from augfn.analysis import Tap, activations, behaviour
from augfn.analysis.capture import by_sample, layers_of


class Block(nn.Module):
    """A residual block that runs one activation twice, in place."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.conv2(self.relu(self.conv1(x))) + x)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.block, self.fc = Block(), nn.Linear(3, 2)
        self.never = nn.Linear(3, 2)

    def forward(self, x):
        return self.fc(self.block(x).mean((2, 3)))


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net().eval()


X = af.uniform(af.key(1), (4, 3, 6, 6))


def hooks(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def test_what_layers_give(net):
    taken = activations(net, X, "*")
    assert list(taken) == ["block.conv1", "block.relu", "block.conv2", "block.relu#2", "block", "fc"]
    first = net.block.conv1(X)
    assert taken["block.conv1"].equal(first)  # though the next layer writes into it
    assert taken["block.relu"].equal(first.relu())
    assert taken["fc"].equal(net(X))
    assert hooks(net) == 0


@pytest.mark.parametrize(
    ("layers", "names"),
    [
        (None, ["block.conv1", "block.conv2", "fc"]),
        ("block.conv*", ["block.conv1", "block.conv2"]),
        (["fc", nn.Conv2d], ["block.conv1", "block.conv2", "fc"]),
        (re.compile(r".*\d"), ["block.conv1", "block.conv2"]),
        (nn.ReLU, ["block.relu", "block.relu#2"]),
    ],
)
def test_layers_by_name_type_and_pattern(net, layers, names):
    assert list(activations(net, X, layers)) == names


def test_the_default_without_weights():
    assert layers_of(nn.Sequential(nn.ReLU(), nn.Sequential(nn.Flatten()))) == ["0", "1.0"]


def test_nodes_of_a_graph(net):
    taken = activations(net, X, ["add", "block_conv*", nn.Linear], nodes=True)
    assert list(taken) == ["block_conv1", "block_conv2", "add", "fc"]
    assert taken["add"].equal(taken["block_conv2"] + X)
    assert len(activations(net, X, nodes=True)) == 7
    assert behaviour(net, X, af.hflip(), af.key(0), "add", draws=1, nodes=True).names == ["add"]

    class Branches(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(ValueError, match="trace"):
        activations(Branches(), X, nodes=True)


def test_the_output_is_the_same_with_and_without(net):
    plain = net(X)
    assert Tap(net, "*")(X, lambda name, t: None).equal(plain)
    grad = torch.autograd.grad(Tap(net)(X, lambda name, t: None).sum(), net.fc.weight)
    assert grad[0].equal(torch.autograd.grad(net(X).sum(), net.fc.weight)[0])
    taken = activations(net, X)
    assert taken["block.conv1"].requires_grad  # the graph is there where it is recorded
    with torch.no_grad():
        assert not activations(net, X)["block.conv1"].requires_grad


def test_hooks_are_removed_when_a_model_or_a_listener_fails(net):
    with pytest.raises(RuntimeError):
        activations(net, torch.rand(4, 5, 6, 6))

    def fails(name, t):
        raise KeyError(name)

    with pytest.raises(KeyError):
        Tap(net)(X, fails)
    assert hooks(net) == 0


def test_what_a_user_hooked_stays(net):
    seen = []
    net.fc.register_forward_hook(lambda m, a, out: seen.append(out))
    activations(net, X)
    assert hooks(net) == len(seen) == 1


def test_several_outputs_have_their_places():
    net = nn.Sequential(nn.LSTM(6, 4, batch_first=True))
    taken = activations(net, X[:, 0])
    assert list(taken) == ["0[0]", "0[1][0]", "0[1][1]"]

    class Pair(nn.Module):
        def forward(self, x):
            return {"out": x + 1, "aux": (x, None), "count": 3, "index": torch.ones(2, dtype=torch.long)}

    assert list(activations(nn.Sequential(Pair()), X)) == ["0[out]", "0[aux][0]"]


def test_layers_that_are_not_there_or_do_not_run(net):
    with pytest.raises(ValueError, match=r"did you mean 'block\.conv"):
        activations(net, X, "block.conv")
    with pytest.raises(ValueError, match="'never' is never called"):
        activations(net, X, ["fc", "never"])
    assert "never" not in activations(net, X, "*")  # a pattern is not a name
    with pytest.raises(ValueError, match="no layers"):
        activations(nn.ReLU(), X)
    with pytest.raises(TypeError, match="not a module"):
        activations(torch.relu, X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        scripted = torch.jit.trace(net, X)
    with pytest.raises(TypeError, match="scripted"):
        activations(scripted, X)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchs_own_transformer_is_heard_inside():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    net = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False).eval()
    before = torch.backends.mha.get_fastpath_enabled()
    with torch.no_grad():
        taken = activations(net, torch.rand(3, 5, 8))
    assert [*taken][:4] == ["layers.0.self_attn", "layers.0.norm1", "layers.0.linear1", "layers.0.linear2"]
    assert torch.backends.mha.get_fastpath_enabled() == before


def test_compiled_models_run_uncompiled_while_they_are_heard(net):
    expected = activations(net, X)
    compiled = torch.compile(net, backend="eager")
    compiled(X)
    with pytest.warns(UserWarning, match="before compilation"):
        taken = activations(compiled, X)
    assert taken.keys() == expected.keys()
    inner = nn.Sequential(torch.compile(net, backend="eager"))
    inner(X)
    assert activations(inner, X, nn.Linear)["0._orig_mod.fc"].equal(expected["fc"])
    net.compile(backend="eager")
    net(X)
    assert activations(net, X).keys() == expected.keys()


def test_wrappers_for_several_devices_are_taken_off(net):
    with pytest.warns(UserWarning, match="DataParallel"):
        taken = activations(nn.DataParallel(net), X)
    assert taken.keys() == activations(net, X).keys()


def test_where_samples_are():
    assert by_sample(torch.zeros(4, 7, 8), 4, 0).shape == (4, 7, 8)
    assert by_sample(torch.zeros(4, 4, 8), 4, 1).shape == (4, 4, 8)  # a sequence first
    assert by_sample(torch.zeros(12, 7, 8), 4, 0).shape == (4, 3, 7, 8)  # windows of an image in a row
    assert by_sample(torch.zeros(3, 7, 8), 1, 0).shape == (1, 3, 7, 8)
    assert by_sample(torch.zeros(1, 7, 8), 4, None) is None


def test_tokens_and_windows_and_tables_in_one_study():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.table = nn.Linear(12, 8), nn.Embedding(9, 8)
            self.windows, self.fc = nn.Linear(8, 8), nn.Linear(8, 3)

        def forward(self, x):
            t = x.unfold(2, 2, 2).unfold(3, 2, 2).permute(0, 2, 3, 1, 4, 5).reshape(len(x), 9, 12)
            t = self.embed(t) + self.table(torch.arange(9))[None]
            t = self.windows(t.reshape(-1, 3, 8)).reshape(len(x), 9, 8)
            return self.fc(t.mean(1))

    report = behaviour(Tokens(), X, af.brightness(factor=0.5), af.key(0), draws=1)
    assert report.names == ["embed", "windows", "fc"]
    assert any("table gives [9, 8]" in note for note in report.notes)


def test_half_precision_by_autocast(net):
    with torch.autocast("cpu", torch.bfloat16):
        report = behaviour(net, X, af.brightness(factor=0.5), af.key(0), draws=1)
    assert 0.3 < report.layers["relative_l2"][0].value < 0.6
