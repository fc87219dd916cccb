"""Pages of what lies in the repository: results of benchmarks, notebooks, example programs, the changelog."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter

from notebooks.site.text import front, relinked, table

ROOT = Path(__file__).parents[2]
RESULTS, NOTEBOOKS = ROOT / "benchmarks/results", ROOT / "notebooks"
MOST = 300_000  # bytes of all pictures of a page
Page = tuple[str, str]


def homes() -> dict[Path, str]:
    """Where on the site a file of the repository is found."""
    guides = NOTEBOOKS / "guides"
    found = {path: str(path.relative_to(guides)) for path in guides.rglob("*") if path.is_file()}
    found |= {path: f"benchmarks/{path.name}" for path in [*RESULTS.glob("*.md"), *RESULTS.glob("*.png")]}
    found |= {path: f"ops/{path.name}" for path in RESULTS.glob("catalogue/*.jpg")}
    found |= {path: f"examples/{path.stem}.md" for path in example_files()}
    return found | {ROOT / "CHANGELOG.md": "changelog.md", ROOT / "README.md": "index.md"}


def example_files() -> list[Path]:
    return [*sorted(NOTEBOOKS.glob("*.ipynb")), *sorted(NOTEBOOKS.glob("examples/*.py"))]


def title_of(text: str) -> str:
    found = re.search(r"^# (.+)$", text, re.M)
    return found[1] if found else ""


# benchmarks


def benchmarks(known: Mapping[Path, str]) -> Iterator[Page]:
    """A page for each result, and their index."""
    parts = [
        "# Benchmarks",
        "Each page was written by its command, and says on which machine and when. Losses stand beside wins.",
    ]
    for title, names in benchmark_groups().items():
        rows = []
        for name in names:
            path, place = RESULTS / f"{name}.md", f"benchmarks/{name}.md"
            text = path.read_text()
            yield place, relinked(text, path.parent, place, known)
            command = re.search(r"command: (`.+?`)", text)
            rows.append([f"[{name}]({name}.md)", said_of(name) or title_of(text), command[1] if command else ""])
        parts += [f"## {title}", table(("page", "what was measured", "command"), rows)]
    yield "benchmarks/index.md", "\n\n".join(parts) + "\n"


def benchmark_groups() -> dict[str, list[str]]:
    """The results that there are, by what they are about; those without a place at the end."""
    there = sorted(path.stem for path in RESULTS.glob("*.md"))
    found = {title: [n for n in known if n in there] for title, known in GROUPS.items()}
    others = [n for n in there if not said_of(n)]
    return {title: names for title, names in [*found.items(), ("More", others)] if names}


def said_of(name: str) -> str:
    return next((known[name] for known in GROUPS.values() if name in known), "")


GROUPS: dict[str, dict[str, str]] = {
    "Speed": {
        "ops": "One op at a time, beside kornia, torchvision and albumentations",
        "pipeline": "Affine map, colour jitter, normalisation: sizes, batches, compiled and not",
        "policies": "RandAugment and others, gates and choices",
        "volumes": "Ops on volumes, beside MONAI, TorchIO, batchgeneratorsv2 and kornia",
        "launches": "How many kernels one call launches on a device, and how many copies it makes",
        "behaviour": "Measures of layers, beside pytorch-cka, tmeasures and captum",
        "worst_case": "The most harmful params, by gradient and by random draws",
        "studio": "How soon the studio shows a change, of a photo and of a volume",
    },
    "Beside the peers": {
        "agreement": "kornia's results at the same params",
        "migration": "kornia's documented calls with their import changed",
        "conversions": "Pipelines of torchvision, albumentations, kornia, MONAI and TorchIO, converted",
    },
    "What augmentation is worth": {
        "experiments-policies-tta-simclr": "Digits: policies, test-time augmentation, SimCLR",
        "experiments-corruptions-curriculum-fixmatch": "Digits: AugMix under corruptions, curricula, FixMatch",
        "experiments-textures-faces-colours": "Textures, faces and colours: policies",
        "tissue": "A segmentation net on the volumes of another scanner",
        "tuning": "Searches and ablations where the truth is planted",
    },
    "Ranges and policies that learn": {
        "learned-hypergradient": "A range of turns, learned through the weights by a validation loss",
        "learned-hidden_policy": "Faster AutoAugment finds a policy that was hidden",
        "learned-faster_autoaugment": "Faster AutoAugment on few labels",
        "learned-augerino": "Augerino: ranges that end where labels change",
        "learned-dada": "DADA: gradients to choices",
        "learned-orientation": "Local features: the orientation of a patch",
        "learned-affine_shape": "Local features: the affine shape of a patch",
    },
    "Many processes": {
        "offline": "Data sets augmented to disk, by several workers, with kills",
        "ranks": "Training on 1, 2 and 4 ranks",
        "cluster": "Training on many nodes, and the loaders that people use",
    },
    "Tests and export": {
        "mutants": "The engine changed on purpose: does a test fail?",
        "onnx": "Which ops run as ONNX, and give the same",
        "matrix": "The tests on several versions of Python and of torch",
    },
}


def benchmark_pictures() -> Iterator[tuple[str, Path]]:
    for path in sorted(RESULTS.glob("*.png")):
        yield f"benchmarks/{path.name}", path


# notebooks and programs


def examples(known: Mapping[Path, str]) -> Iterator[tuple[str, str | bytes]]:
    """A page for each notebook and each program, their pictures, and their index."""
    rows = []
    for path in example_files():
        place = f"examples/{path.stem}.md"
        text, pictures = (notebook if path.suffix == ".ipynb" else program)(path)
        said = next((p for p in text.split("\n\n")[1:] if p and p[0] not in "#`!|*"), "")
        name = path.relative_to(ROOT)
        rows.append(
            [f"[{title_of(text)}]({path.stem}.md)", re.split(r"(?<=\.) ", " ".join(said.split()))[0], f"`{name}`"]
        )
        page = relinked(text, path.parent, place, known | {path.parent / n: f"examples/{n}" for n in pictures})
        yield place, page.replace("\n\n", f"\n\n*`{name}` of the repository.*\n\n", 1)
        for picture, data in pictures.items():
            yield f"examples/{picture}", data
    head = "# Examples\n\nNotebooks, and programs that run with one command."
    yield "examples/index.md", f"{head}\n\n{table(('page', 'what it shows', 'file'), rows)}\n"


def notebook(path: Path) -> tuple[str, dict[str, bytes]]:
    """Text and pictures of a notebook as it lies there; what was not run has no outputs."""
    cells = nbformat.read(path, as_version=4)
    cells.metadata.setdefault("language_info", {"name": "python"})
    text, resources = MarkdownExporter().from_notebook_node(cells)
    outputs: dict[str, bytes] = {n: d for n, d in resources["outputs"].items() if n.endswith(".png")}
    pictures = {}
    for name, data in outputs.items():
        own = f"{path.stem}-{Path(name).stem}.webp"
        pictures[own] = small(data, MOST // (len(outputs) + 1))
        text = text.replace(f"]({name})", f"]({own})")
    return re.sub(r"!\[png\]", f"![a picture of {path.stem}]", text), pictures


def program(path: Path) -> tuple[str, dict[str, bytes]]:
    """The docstring of a program, then its code."""
    source = path.read_text()
    tree = ast.parse(source)
    doc = ast.get_docstring(tree) or path.stem
    first, _, rest = doc.partition("\n")
    head = first if first.startswith("# ") else f"# {first.rstrip('.')}"
    start = tree.body[0].end_lineno if ast.get_docstring(tree) else 0
    code = "\n".join(source.splitlines()[start:]).strip()
    return f"{head}\n\n{rest.strip()}\n\n## The program\n\n```python\n{code}\n```\n", {}


def small(data: bytes, limit: int) -> bytes:
    """A picture as WebP, at most 1,000 pixels wide, of less than `limit` bytes."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as opened:
        image = opened.convert("RGB")
    image.thumbnail((1000, 2000))
    for quality in (85, 70, 55, 40, 25, 10):
        buffer = io.BytesIO()
        image.save(buffer, "webp", quality=quality)
        if buffer.tell() < limit:
            break
    return buffer.getvalue()


def changelog(known: Mapping[Path, str]) -> Page:
    text = (ROOT / "CHANGELOG.md").read_text()
    return "changelog.md", front(title="Changelog") + relinked(text, ROOT, "changelog.md", known)
