"""A service for test-time augmentation: an image in, its class with a calibrated probability and a spread out.

A net reads sixteen versions of each image, slightly turned, moved and zoomed. The mean of its sixteen answers is the
prediction; their spread says how much the prediction hangs on the pose of the image. A temperature, fitted on validation
images, makes the probabilities true: of all answers of 70 %, seven of ten are to be right.

**Data.** scikit-learn's digits, 16 pixels wide: 300 to train on, 400 to fit the temperature, 1,097 to test.
**Net.** Three convolutions, trained with such versions too. The table is over five nets, of which the first is served.

    python notebooks/examples/tta_service.py               # some 20 s on one core: trains, measures, serves, asks itself, ends
    python notebooks/examples/tta_service.py --serve 8765  # trains one net, and serves it until Ctrl-C
    curl --data-binary @digit.png http://127.0.0.1:8765/predict

A request is an image file, white on black, of any size. The server is of Python's standard library and listens on the
loopback address alone; it is made for a machine of one's own, not for the open network.

**What it saw** (`python notebooks/examples/tta_service.py`, 2026-11-30, one core of an AMD EPYC (AVX512), torch 2.13.0;
mean over seeds, with Student's interval of 95 %):

```text
prediction                accuracy, %        log loss                 calibration error, %
one version               98 [97.2, 98.7]    0.0662 [0.0436, 0.0889]  1.56 [1.12, 2.01]
one version, temperature  98 [97.2, 98.7]    0.0605 [0.0368, 0.0841]  0.763 [0.576, 0.95]
16 versions               98 [97.1, 98.9]    0.0997 [0.0752, 0.124]   4.99 [4.47, 5.52]
16 versions, temperature  98.1 [97.1, 99.1]  0.0727 [0.0388, 0.107]   1.64 [1.25, 2.03]
an answer: {'class': 9, 'probability': 0.9967, 'spread': 0.01, 'probabilities': [0.0, ...]}
to what is no image: {'error': 'no image that can be read: send a PNG or JPEG file'}
mean spread of 6 digits, as it is: 0.016
mean spread of 6 digits, turned: 0.414
mean spread of 6 digits, and noise: 0.365
```

Here test-time augmentation does not make the net more often right, and its mean is too unsure of itself, which the
temperature mends for the most part: one version with a temperature is calibrated as well or better. What sixteen versions
give beyond one is the spread: small where the net is right, large for turned digits, of which it reads most wrongly. The
same command gives the same numbers again, on any number of cores; another processor may round differently.
"""

from __future__ import annotations

import argparse
import io
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

import augfn as af
from augfn.analysis import Table, calibration_error, over_seeds
from augfn.app import viz

SIDE, TRAIN, VALIDATION, LARGEST = 16, 300, 400, 2**22  # pixels, images, images, bytes of a request
# What a digit may do and stay the same. The net is trained with it, and asked with it.
VIEWS = af.affine(degrees=(-12, 12), translate=((-0.08, 0.08), (-0.08, 0.08)), scale=(0.9, 1.1))
KEY, N = af.key(0), 16  # the same sixteen draws in each call, so that the same image gets the same answer


def train(x: Tensor, y: Tensor, seed: int, steps: int) -> nn.Module:
    torch.manual_seed(seed)
    net = nn.Sequential()
    for before, after in ((1, 16), (16, 32), (32, 64)):
        net.extend([nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU()])
    net.extend([nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)])
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    for step in range(steps):
        at = torch.randint(len(x), (64,))
        seen, _ = VIEWS(x[at], None, af.fold_in(af.key(seed), step))
        optimizer.zero_grad()
        F.cross_entropy(net(seen), y[at]).backward()
        optimizer.step()
    return net.eval()


@torch.no_grad()
def answers(net: nn.Module, x: Tensor, views: bool = True) -> Tensor:
    """Logits of each version of images `[B, 1, 16, 16]`: `[versions, B, 10]`.

    `af.tta(net, VIEWS, n=16)(x, key)` gives their mean alone; here each is kept, since their spread is asked for too.
    """
    if not views:
        return net(x)[None]
    keys = af.split(KEY, N)[:, None]  # [16, 1, 2]: one draw for each version, which all images of a batch share
    return torch.stack([net(VIEWS(x, None, key)[0]) for key in keys])


def predicted(logits: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Probabilities and their standard deviation over the versions, `[B, 10]` each."""
    p = (logits / temperature).softmax(-1)
    return p.mean(0), p.std(0, correction=0)


def log_loss(p: Tensor, y: Tensor) -> float:
    return F.nll_loss(p.clamp(min=1e-12).log(), y).item()


def fitted(logits: Tensor, y: Tensor) -> float:
    """The temperature from .2 to 3, in steps of .02, of the least log loss."""
    grid = [0.2 + 0.02 * i for i in range(141)]
    return min(grid, key=lambda t: log_loss(predicted(logits, t)[0], y))


def measured(logits: Tensor, temperature: float, y: Tensor) -> dict[str, float]:
    p, _ = predicted(logits, temperature)
    right = 100 * (p.argmax(1) == y).float().mean().item()
    error = 100 * calibration_error(p.clamp(min=1e-12).log(), y, bins=10).item()
    return {"accuracy, %": right, "log loss": log_loss(p, y), "calibration error, %": error}


def read(body: bytes) -> Tensor:
    """An image file as the net takes it, `[1, 1, 16, 16]` in [0, 1]."""
    image = af.to_float(Image.open(io.BytesIO(body)).convert("L"))
    return af.resize(size=(SIDE, SIDE), antialias=True)(image[None])[0]


def server_of(net: nn.Module, temperature: float, port: int) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = self.headers.get("Content-Length", "")
            length = int(said) if said.isdecimal() else 0
            if self.path != "/predict":
                return self.answer(404, {"error": "no such page: POST an image to /predict"})
            if not 0 < length <= LARGEST:
                return self.answer(413, {"error": f"an image of {length} bytes: 1 to {LARGEST} are taken"})
            try:
                x = read(self.rfile.read(length))
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # pillow's, of broken files
                return self.answer(400, {"error": "no image that can be read: send a PNG or JPEG file"})
            p, spread = (v[0] for v in predicted(answers(net, x), temperature))
            k, each = int(p.argmax()), [round(v, 4) for v in p.tolist()]
            found = {"class": k, "probability": each[k], "spread": round(spread[k].item(), 4)}
            self.answer(200, found | {"probabilities": each})

        def answer(self, status: int, found: dict[str, Any]) -> None:
            body = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Says nothing of each request."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def ask(address: str, body: bytes) -> dict[str, Any]:
    """A client: the file as the body of a POST; an answer, or what is wrong."""
    try:
        with build_opener(ProxyHandler({})).open(address, body, timeout=30) as response:
            return json.load(response)
    except HTTPError as error:
        return json.load(error)


def shown(address: str, x: Tensor, path: Path) -> str:
    """What the service says of six digits as they are, turned, and in noise."""
    turned = af.rotate(degrees=40.0)(x)[0]
    versions = {"as it is": x, "turned": turned, "and noise": af.gaussian_noise(std=0.2)(turned, None, KEY)[0]}
    images, said = torch.cat([*versions.values()]), []
    for image in images:
        file = io.BytesIO()
        af.to_pil(image).save(file, "PNG")
        said.append(ask(address, file.getvalue()))
    titles = [f"{a['class']}: {a['probability']:.2f} ± {a['spread']:.2f}" for a in said]
    viz.save(viz.grid(list(images), columns=len(x), titles=titles, rows=[*versions], cell=1.4), path)
    lines = [f"an answer: {said[0]}", f"to what is no image: {ask(address, b'no image')}"]
    for i, name in enumerate(versions):
        own = said[i * len(x) : (i + 1) * len(x)]
        lines.append(f"mean spread of {len(x)} digits, {name}: {sum(a['spread'] for a in own) / len(own):.3f}")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> str:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=5, help="nets of the table")
    parser.add_argument("--serve", type=int, metavar="PORT", help="train one net, and serve it until Ctrl-C")
    parser.add_argument("--quick", action="store_true", help="few steps, two seeds: whether it runs, not what is true")
    parser.add_argument("--out", type=Path, default=Path("out"), help="where the picture goes")
    options = parser.parse_args(argv)
    steps, seeds = (4, 2) if options.quick else (options.steps, options.seeds)
    torch.set_num_threads(1)  # the net is small; and so the numbers are the same on any number of cores
    options.out.mkdir(parents=True, exist_ok=True)

    digits = load_digits()
    x = F.interpolate(torch.from_numpy(digits.images).float()[:, None] / 16, (SIDE, SIDE), mode="bilinear")
    y = torch.from_numpy(digits.target)
    found: dict[str, list[dict[str, float]]] = {}
    served = []
    for seed in range(1 if options.serve is not None else seeds):
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
        fit, held, test = order.split([TRAIN, VALIDATION, len(x) - TRAIN - VALIDATION])
        net = train(x[fit], y[fit], seed, steps)
        for views, name in ((False, "one version"), (True, f"{N} versions")):
            temperature = fitted(answers(net, x[held], views), y[held])
            logits = answers(net, x[test], views)
            found.setdefault(name, []).append(measured(logits, 1.0, y[test]))
            found.setdefault(f"{name}, temperature", []).append(measured(logits, temperature, y[test]))
        served.append((net, temperature, x[test][:6]))
    columns = [*found["one version"][0]]
    rows = [(name, *(over_seeds([run[c] for run in runs]) for c in columns)) for name, runs in found.items()]
    table = str(Table(("prediction", *columns), rows))
    print(table)

    net, temperature, some = served[0]
    with server_of(net, temperature, options.serve or 0) as server:
        address = f"http://127.0.0.1:{server.server_port}/predict"
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            if options.serve is not None:
                print(f"serving: curl --data-binary @digit.png {address} (Ctrl-C ends)")
                thread.join()
            said = shown(address, some, options.out / "tta_service.png")
        except KeyboardInterrupt:
            return table
        finally:
            server.shutdown()
    print(said, f"written: {options.out / 'tta_service.png'}", sep="\n")
    return f"{table}\n{said}"


if __name__ == "__main__":
    main()
