"""The shape of the code: floors, no cycles, one signature, one line per module, nothing undocumented."""

import ast
import doctest
import importlib
import inspect
import io
import math
from pathlib import Path

import pytest
import torch

import augfn as af
import augfn_nn
from augfn.core.augmentation import Augmentation
from augfn.core.draw import leaves_of
from augfn.core.spec import COMMON, OF_CLIPS, SPECS
from augfn.ops import photometric
from augfn.testing import example
from benchmarks.mutants_named import FAULTS

ROOT = Path(__file__).parents[1]
FILES = sorted([*ROOT.glob("augfn/**/*.py"), *ROOT.glob("augfn_nn/**/*.py")])

# From the ground up; a name stands for the modules below it too. A file imports from lower floors, or from its own
# without a cycle.
FLOORS = [
    ["augfn.errors"],
    ["augfn.supported"],
    ["augfn.run", "augfn.run.mode", "augfn.run.peek"],
    ["augfn.run.twins", "augfn.run.bands"],
    ["augfn.random"],
    ["augfn.run.constants", "augfn.run.sampler"],
    ["augfn.math"],
    ["augfn.distributions"],
    ["augfn.typing"],
    [
        "augfn.core",
        "augfn.core.targets",
        "augfn.core.boxes",
        "augfn.core.ragged",
        "augfn.core.poses",
        "augfn.core.lists",
        "augfn.core.gates",
        "augfn.core.partners",
        "augfn.core.widening",
    ],
    ["augfn.core.actions"],
    [
        "augfn.core.annotations",
        "augfn.core.called",
        "augfn.core.patched",
        "augfn.core.fusing",
        "augfn.core.clips",
        "augfn.core.matrices",
    ],
    ["augfn.core.instances"],
    ["augfn.core.mixing"],
    ["augfn.core.rules"],
    ["augfn.run.rows", "augfn.core.acting"],
    ["augfn.run.host"],
    ["augfn.run.looks", "augfn.core.draw", "augfn.run.slices", "augfn.core.spec"],
    ["augfn.run.call", "augfn.core.settings"],
    ["augfn.core.timed"],
    ["augfn.core.augmentation"],
    ["augfn.core.combined", "augfn.core.opaque"],
    ["augfn.ops"],
    [
        "augfn.compose",
        "augfn.custom",
        "augfn.undoing",
        "augfn.curricula",
        "augfn.multiview",
        "augfn.patches",
        "augfn.data",
        "augfn.images",
    ],
    ["augfn.policies"],
    ["augfn.files", "augfn.files.values"],
    ["augfn.files.writing"],
    ["augfn.files.reading"],
    [
        "augfn.adversarial",
        "augfn.nifti",
        "augfn.losses",
        "augfn.models",
        "augfn.moments",
        "augfn.predict",
        "augfn.progress",
        "augfn.words",
        "augfn.saving",
        "augfn.testing",
    ],
    ["augfn.learn"],
    ["augfn"],
    ["augfn.__main__", "augfn.analysis", "augfn.app", "augfn.distributed", "augfn.offline", "augfn.tune", "augfn_nn"],
]


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): ast.parse(path.read_text()) for path in FILES}


def floor_of(module):
    """The floor of the longest name that covers a module; the package itself is its flat names."""
    homes = [(len(name), i) for i, floor in enumerate(FLOORS) for name in floor if covers(name, module)]
    assert homes, f"{module} stands on no floor: say in FLOORS where it belongs"
    return max(homes)[1]


def covers(name, module):
    return name == module or (name != "augfn" and module.startswith(name + "."))


def imports_of(module):
    """Modules of this project that a module imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            inner = {f"{node.module}.{a.name}" for a in node.names}
            found |= {n if n in MODULES else node.module for n in inner}
    return found & MODULES.keys()


@pytest.mark.parametrize("module", MODULES)
def test_imports_come_from_lower_floors(module):
    high = {other for other in imports_of(module) if floor_of(other) > floor_of(module)}
    assert not high, f"{module} imports from above: {sorted(high)}"


def test_no_import_cycle():
    done, open_ = set(), []

    def visit(module):
        assert module not in open_, f"a cycle: {' -> '.join([*open_, module])}"
        if module in done:
            return
        open_.append(module)
        for other in imports_of(module):
            visit(other)
        done.add(open_.pop())

    for module in MODULES:
        visit(module)


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_files_are_short(path):
    assert len(path.read_text().splitlines()) < 450


LIBRARY = sorted(m for m in MODULES if not m.startswith("augfn.app"))
DRAWS = {"rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", "bernoulli", "multinomial"}
IN_PLACE = {"uniform_", "normal_", "bernoulli_", "exponential_", "random_", "cauchy_", "geometric_", "log_normal_"}


def calls_of(module):
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr, {k.arg for k in node.keywords}, node


@pytest.mark.parametrize("module", LIBRARY)
def test_no_global_randomness(module):
    """No seed is set, and nothing is drawn but by a key, or from a generator that was handed in. (kornia's custom classes
    draw from torch's own, which is seeded for them, and left as it was.)"""
    if module in ("augfn_nn.bridge", "augfn_nn.random_generator"):
        return
    for name, keywords, node in calls_of(module):
        where = f"{module}, line {node.lineno}"
        assert name not in ("manual_seed", "seed", "set_rng_state") or module.startswith("augfn.testing"), where
        # without a generator a module draws its one key from torch's default one, so that torch.manual_seed rules
        free = "generator" in keywords or module == "augfn_nn.augment"
        assert name not in IN_PLACE | DRAWS or free, where
    assert not any(n in ("random", "numpy.random") for n in outside_imports(module))


def outside_imports(module):
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


@pytest.mark.parametrize("module", LIBRARY)
def test_no_wait_for_a_value(module):
    """`.item()` stops a graph and waits for the device."""
    lines = [node.lineno for name, _, node in calls_of(module) if name == "item"]
    assert not lines, f"{module}, lines {lines}"


MODE = {"is_plain", "untracked", "asks_gradient", "is_readable", "autocasts", "is_compiling", "is_exporting"}
MODE |= {"is_functional", "is_followed", "is_listable"}


def test_the_mode_is_asked_in_few_places():
    """What depends on torch's mode is a twin (augfn.run.twins), or asks by name; testing and programs apart."""
    outside = [m for m in LIBRARY if not m.startswith(("augfn.run", "augfn.testing"))]
    asked = [
        f"{module}:{node.lineno}"
        for module in outside
        for node in ast.walk(MODULES[module])
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in MODE
    ]
    assert len(asked) <= 15, asked


# the signature law

COMBINATORS = {
    "pipeline": lambda: af.pipeline(af.hflip(), af.rotate()),
    "maybe": lambda: af.maybe(af.rotate()),
    "one_of": lambda: af.one_of(af.hflip(), af.rotate()),
    "some_of": lambda: af.some_of(1, af.hflip(), af.rotate()),
    "repeat": lambda: af.repeat(af.rotate(), 2),
}
AUGMENTATIONS = {**{n: lambda n=n: example(n) for n in SPECS}, **COMBINATORS}


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_signature_law(name):
    """Every factory returns `(x, params=None, generator=None) -> (x, params)`, and its params mirror its schema."""
    f = AUGMENTATIONS[name]()
    assert isinstance(f, Augmentation)
    parameters = inspect.signature(f).parameters
    assert [(p.name, p.default) for p in parameters.values()] == [
        ("x", inspect.Parameter.empty),
        ("params", None),
        ("generator", None),
    ]
    x = torch.rand(2, 1 if f.bare else 3, *(9, 10, 11)[-f.ndim :])
    y, params = f(x, None, af.key(0))
    assert isinstance(y, torch.Tensor)
    assert leaves_of(params).keys() == leaves_of(f.params).keys() <= leaves_of(f.schema).keys()


@pytest.mark.parametrize("name", SPECS)
def test_factory_signature(name):
    """Keywords alone: the leaves with their ranges, the static settings, and those of the kind."""
    spec = SPECS[name]
    factory = spec_factory(name)
    parameters = inspect.signature(factory).parameters
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in parameters.values())
    drawn = set(spec.leaves) - ({"seed"} if spec.kind == "noise" else set())
    assert parameters.keys() >= drawn | spec.static.keys() | set(COMMON[spec.kind])


def spec_factory(name):
    """The op's own factory (`af.invert` is the inverse of an augmentation too)."""
    return photometric.invert if name == "invert" else getattr(af, name)


def test_every_op_is_public():
    assert {n for n in SPECS if getattr(getattr(af, n, None), "spec", None) is SPECS[n]} == set(SPECS)
    assert set(SPECS) | set(COMBINATORS) <= set(af.__all__)
    assert sorted(af.__all__) == af.__all__
    assert all(hasattr(af, n) for n in af.__all__)


def test_every_op_has_its_module():
    derived = {c.spec.name for n in augfn_nn.__all__ if hasattr(c := getattr(augfn_nn, n), "spec")}
    assert derived == set(SPECS) | set(OF_CLIPS)


@pytest.mark.parametrize("package", sorted({m.rpartition(".")[0] for m in MODULES} - {""}))
def test_no_submodule_bears_the_name_of_a_function(package):
    """Importing `augfn.scale` would make `af.scale(...)` a module."""
    names = vars(importlib.import_module(package))
    children = {m.rpartition(".")[2] for m in MODULES if m.rpartition(".")[0] == package}
    assert not {n for n in children if n in names and not inspect.ismodule(names[n])}


def test_every_family_has_its_file_of_modules():
    """An op and its class live in files of one name."""
    for n in augfn_nn.__all__:
        if hasattr(c := getattr(augfn_nn, n), "spec"):
            assert c.__module__.rpartition(".")[2] == c.spec.body.__module__.rpartition(".")[2], n


# docs


@pytest.mark.parametrize("name", SPECS)
def test_leaves_have_units(name):
    """Every leaf has a unit, a range that holds its neutral value and its default, and a line in the docstring."""
    spec, doc = SPECS[name], spec_factory(name).__doc__
    for leaf_name, leaf in spec.leaves.items():
        assert leaf.unit
        low, high = leaf.low if leaf.low is not None else -math.inf, math.inf if leaf.high is None else leaf.high
        assert low <= (low if leaf.neutral is None else leaf.neutral) <= high
        assert f"* `{leaf_name}`" in doc
        assert leaf.unit in doc
        assert not leaf.flat or leaf.flat in doc


@pytest.mark.parametrize("name", SPECS)
def test_docs_of_ops(name):
    """One sentence, a source, the kind, and an example that the doctests run."""
    doc = inspect.cleandoc(spec_factory(name).__doc__)
    assert doc.split("\n\n")[0].rstrip().endswith((".", ":"))
    assert "Source:" in doc
    assert ">>>" in doc
    assert f"Kind: {SPECS[name].kind}" in doc


@pytest.mark.parametrize("name", SPECS)
def test_examples_of_ops(name):
    """Run here, and not by pytest: a factory's code lies in another file than its doctest."""
    doc = spec_factory(name).__doc__
    test = doctest.DocTestParser().get_doctest(doc, {"af": af, "torch": torch}, name, None, 0)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    failures = io.StringIO()
    runner.run(test, out=failures.write)
    assert runner.summarize(verbose=False).attempted
    assert not failures.getvalue(), failures.getvalue()


@pytest.mark.parametrize("name", [f"af.{n}" for n in af.__all__] + [f"augfn_nn.{n}" for n in augfn_nn.__all__])
def test_public_names_are_documented(name):
    package, _, short = name.partition(".")
    value = getattr(af if package == "af" else augfn_nn, short)
    doc = vars(value).get("__doc__") if isinstance(value, type) else value.__doc__
    assert doc
    assert len(doc.strip()) > 20
    if package == "af":
        assert ">>>" in doc, f"{name} has no example"


@pytest.mark.parametrize("module", MODULES)
def test_modules_say_what_they_are(module):
    assert ast.get_docstring(MODULES[module])


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.name)
def test_every_named_fault_has_a_place(fault):
    path, text = fault.patched(ROOT)
    assert path.read_text() != text
    compile(text, str(path), "exec")
