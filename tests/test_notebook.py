"""The notebooks run from top to bottom."""

from pathlib import Path

import nbformat
import pytest

nbclient = pytest.importorskip("nbclient")
ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "notebooks"
PICTURES = {
    "tour": 6,
    "everyday": 8,
    "policies": 4,
    "contrastive": 2,
    "detection": 4,
    "dense_tta": 4,
    "behaviour": 8,
    "learned": 3,
    "local_features": 2,
}
# Where a notebook takes a minute: fewer draws and steps, of which nothing is asserted.
QUICKER = {"behaviour": {'"draws": 8': '"draws": 2', "*train, steps=200": "*train, steps=20"}}
LINES = 12  # of a task's code
ESTIMATORS = 30  # lines of the orientation and shape estimators


# Each notebook begins with no names, as it would in a kernel of its own, and with torch's generator as it is at first.
BEGIN = """%reset -f
__import__("torch").manual_seed(67280421310721)
__import__("matplotlib.pyplot").pyplot.rcdefaults()"""


@pytest.fixture(scope="module")
def kernel():
    """One kernel for the notebooks of a worker: starting it and importing torch takes most of what a short one takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")  # pictures in the outputs
        client = nbclient.NotebookClient(
            nbformat.v4.new_notebook(), timeout=600, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}
        )
        with client.setup_kernel():
            yield client


@pytest.mark.filterwarnings("ignore")  # of the notebook server's own
@pytest.mark.parametrize("name", [n if n != "learned" else pytest.param(n, marks=pytest.mark.kornia) for n in PICTURES])
def test_it_runs(name, kernel):
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(BEGIN))
    kernel.nb = notebook
    for known, less in QUICKER.get(name, {}).items():
        where = [cell for cell in notebook.cells if known in cell.source]
        assert len(where) == 1
        where[0].source = where[0].source.replace(known, less)
    for i, cell in enumerate(notebook.cells):
        kernel.execute_cell(cell, i)
    pictures = [o for cell in notebook.cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
    assert len(pictures) >= PICTURES[name]


def test_an_everyday_task_is_short():
    cells = [c for c in nbformat.read(FOLDER / "everyday.ipynb", as_version=4).cells if c.cell_type == "code"]
    assert len(cells) > LINES  # twelve tasks, and the imports and data before them
    for cell in cells[1:]:
        assert len([line for line in cell.source.splitlines() if line.strip()]) <= LINES, cell.source


def test_the_estimators_are_thirty_lines():
    cells = [c for c in nbformat.read(FOLDER / "local_features.ipynb", as_version=4).cells if c.cell_type == "code"]
    assert "hardnet_loss(*ends)" in cells[1].source
    assert len([line for line in cells[1].source.splitlines() if line.strip()]) <= ESTIMATORS
