"""The tour runs from top to bottom."""

from pathlib import Path

import nbformat
import pytest

nbclient = pytest.importorskip("nbclient")
TOUR = Path(__file__).parent.parent / "notebooks" / "tour.ipynb"


@pytest.mark.filterwarnings("ignore")  # of the notebook server's own
def test_the_tour_runs(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")  # pictures in the outputs
    notebook = nbformat.read(TOUR, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(TOUR.parent.parent)}}
    )
    client.execute()
    pictures = [o for cell in notebook.cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
    assert len(pictures) >= 6
