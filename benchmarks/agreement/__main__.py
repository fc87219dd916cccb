"""The tables of agreement with kornia, computed now on a real photo.

python -m benchmarks.agreement > benchmarks/results/agreement.md
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.agreement import Case, cases, differences, distance
from benchmarks.measure import environment, header, table


def photo() -> Tensor:
    """Two crops `[2, 3, 64, 96]` of scikit-image's astronaut, in [0, 1]: her face, and the badges of her suit."""
    from skimage import data

    whole = torch.from_numpy(data.astronaut()).movedim(-1, 0) / 255
    corners = ((70, 180), (340, 110))
    return torch.stack([whole[:, top : top + 64, left : left + 96] for top, left in corners])


def row(case: Case, x: Tensor) -> list[str]:
    far = distance(case, x)
    note = "; ".join(filter(None, [case.note, f"border of {case.margin} px left out" if case.margin else ""]))
    word = "agrees" if far <= case.tolerance else "DIFFERS"
    return [case.op, f"`{case.peer}`", f"{far:.1e}", f"{case.tolerance:.0e}", word, note]


def listing(head: list[str], rows: list[list[str]]) -> str:
    """A table of words, all columns to the left."""
    return table(head, rows).replace("---:", "---")


def main() -> None:
    torch.manual_seed(0)
    x = photo()
    rows = sorted((row(case, x) for case in cases()), key=lambda r: (r[0], r[1], r[-1]))
    differ = [[f"`{peer}`", why] for peer, why in sorted(differences().items())]
    ops = {r[0] for r in rows}
    print("# Agreement with kornia\n")
    print(header(environment("python -m benchmarks.agreement", torch.get_num_threads())) + "\n")
    print("The same op with the same params, on two crops of a photo, 64 x 96 pixels, float32.\n")
    print(listing(["op", "kornia", "largest difference", "tolerance", "", "what was mapped"], rows))
    print(f"\n{len(rows)} comparisons of {len(ops)} ops.\n\n## What differs, and why\n")
    print(listing(["kornia", "why"], differ))


if __name__ == "__main__":
    main()
