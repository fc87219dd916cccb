"""A service for test-time augmentation: an image in; its class, a calibrated probability and a spread out.

A net reads several versions of each image. The mean of what it says is the prediction, its spread over the versions says how much the prediction
hangs on the pose of the image. A temperature, fitted on validation images, makes probabilities true: of those of 70 % seven of ten are right.

**Data.** scikit-learn's digits, 16 pixels wide: 300 to train on, 400 to fit the temperature, 1,097 to test. **Net.** Three convolutions,
trained with slight turns and shifts.

    python notebooks/examples/tta_service.py                  # RUNTIME; trains, measures, serves, asks itself three times, ends
    python notebooks/examples/tta_service.py --serve 8765     # trains, and serves until Ctrl-C
    curl --data-binary @digit.png http://127.0.0.1:8765/predict

The server is of Python's standard library, and listens on the loopback address alone. It is a small one: for the open network put a
server for that before it.

RESULTS
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
from urllib.request import Request, urlopen

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

import augfn as af
from augfn.analysis import Table, over_seeds
from augfn.app import viz

SIDE, TRAIN, VALIDATION, LARGEST = 16, 300, 400, 2**22  # pixels, images, images, bytes of a request
# What a digit may do and stay the same: slight turns, shifts and zooms. The net is trained with it, and asked with it.
VIEWS = af.affine(degrees=(-12, 12), translate=((-0.08, 0.08), (-0.08, 0.08)), scale=(0.9, 1.1))
KEY, N = af.key(0), 16  # the same 16 draws for each image and each call, so that an answer is the same twice


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


class Predictor:
    """A net under test-time augmentation, with a temperature: `predictor(x)` gives probabilities `[B, 10]` and their spread `[B, 10]`.

    `af.tta(net, VIEWS, n=16)(x, key)` would give the mean alone; here each version's answer is kept, since their spread is asked for too.
    """

    def __init__(self, net: nn.Module, views: bool = True) -> None:
        self.net, self.views, self.temperature = net, views, 1.0

    @torch.no_grad()
    def each(self, x: Tensor) -> Tensor:
        """Logits of each version, `[versions, B, 10]`."""
        if not self.views:
            return self.net(x)[None]
        keys = af.split(KEY, N)[:, None]  # [16, 1, 2]: a version has one draw, which all images share
        return torch.stack([self.net(VIEWS(x, None, key)[0]) for key in keys])

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        p = (self.each(x) / self.temperature).softmax(-1)
        return p.mean(0), p.std(0, correction=0)

    def calibrated(self, x: Tensor, y: Tensor) -> Predictor:
        """With the temperature, out of a fine grid, at which the log loss of these images is least."""
        logits = self.each(x)
        grid = torch.linspace(0.2, 3.0, 141)
        losses = [F.nll_loss((logits / t).softmax(-1).mean(0).log(), y).item() for t in grid]
        self.temperature = grid[int(np.argmin(losses))].item()
        return self


def measured(predictor: Predictor, x: Tensor, y: Tensor) -> dict[str, float]:
    p, _ = predictor(x)
    sure, said = p.max(1)
    right = (said == y).float()
    ece = 0.0  # the expected calibration error: |accuracy - confidence| in ten bins of confidence, weighted by their images
    for low in torch.arange(10) / 10:
        own = (sure > low) & (sure <= low + 0.1)
        if own.any():
            ece += float(own.float().mean() * (right[own].mean() - sure[own].mean()).abs())
    loss = F.nll_loss(p.clamp(min=1e-12).log(), y).item()
    return {"accuracy, %": 100 * right.mean().item(), "log loss": loss, "calibration error, %": 100 * ece}


def read(body: bytes) -> Tensor:
    """The pixels of a request as the net takes them, `[1, 1, 16, 16]`: white on black, in [0, 1]."""
    image = af.to_float(Image.open(io.BytesIO(body)).convert("L"))
    return af.resize(size=(SIDE, SIDE), antialias=True)(image[None])[0]


def server_of(predictor: Predictor, port: int) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            if self.path != "/predict":
                return self.answer(404, {"error": "no such page: POST an image to /predict"})
            if not 0 < length <= LARGEST:
                return self.answer(413, {"error": f"an image of {length} bytes, where 1 to {LARGEST} are taken"})
            try:
                x = read(self.rfile.read(length))
            except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
                return self.answer(400, {"error": f"no image that can be read: {error}"})
            p, spread = (v[0] for v in predictor(x))
            k = int(p.argmax())
            found = {"class": k, "probability": round(p[k].item(), 4), "spread": round(spread[k].item(), 4)}
            self.answer(200, found | {"probabilities": [round(v, 4) for v in p.tolist()]})

        def answer(self, status: int, found: dict[str, Any]) -> None:
            body = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing of each request."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def ask(address: str, image: Tensor) -> dict[str, Any]:
    """A client's call: a PNG in the body of a POST."""
    file = io.BytesIO()
    af.to_pil(image).save(file, "PNG")
    try:
        with urlopen(Request(address, file.getvalue()), timeout=30) as response:
            return json.load(response)
    except HTTPError as error:
        raise ValueError(json.load(error)["error"]) from error


def main(argv: list[str] | None = None) -> str:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=5, help="of the table; the first net is served")
    parser.add_argument("--serve", type=int, metavar="PORT", help="serve until Ctrl-C")
    parser.add_argument(
        "--quick", action="store_true", help="few steps and two seeds: whether it runs, not what is true"
    )
    parser.add_argument("--out", type=Path, default=Path("out"), help="where the picture goes")
    options = parser.parse_args(argv)
    steps, seeds = (4, 2) if options.quick else (options.steps, 1 if options.serve is not None else options.seeds)
    torch.set_num_threads(1)  # the net is small; and so the numbers are the same on any number of cores
    options.out.mkdir(parents=True, exist_ok=True)

    digits = load_digits()
    x = F.interpolate(torch.from_numpy(digits.images).float()[:, None] / 16, (SIDE, SIDE), mode="bilinear")
    y = torch.from_numpy(digits.target)
    found: dict[str, list[dict[str, float]]] = {}
    for seed in range(seeds):
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
        fit, held, test = order[:TRAIN], order[TRAIN : TRAIN + VALIDATION], order[TRAIN + VALIDATION :]
        net = train(x[fit], y[fit], seed, steps)
        predictors = {
            "one view": Predictor(net, views=False),
            "one view, temperature": Predictor(net, views=False).calibrated(x[held], y[held]),
            f"{N} views": Predictor(net),
            f"{N} views, temperature": Predictor(net).calibrated(x[held], y[held]),
        }
        for name, predictor in predictors.items():
            found.setdefault(name, []).append(measured(predictor, x[test], y[test]))
        if seed == 0:
            served, shown = predictor, x[test]
    columns = list(next(iter(found.values()))[0])
    rows = [(name, *(over_seeds([run[c] for run in runs]) for c in columns)) for name, runs in found.items()]
    table = str(Table(("prediction", *columns), rows))
    print(table)

    with server_of(served, options.serve or 0) as server:
        address = f"http://127.0.0.1:{server.server_port}/predict"
        if options.serve is not None:
            print(f"POST an image to {address}: curl --data-binary @digit.png {address}. Ctrl-C ends.")
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                return table
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            table += "\n" + asked(address, shown, options.out / "tta_service.png")
        finally:
            server.shutdown()
            thread.join()
    return table


def asked(address: str, x: Tensor, path: Path) -> str:
    """A client that sends digits, upright, turned and in noise, and shows the answers."""
    worse = af.pipeline(af.rotate(degrees=40.0), af.gaussian_noise(std=0.2))
    versions = {"as it is": x[:6], "turned by 40 degrees": af.rotate(degrees=40.0)(x[:6])[0]}
    versions["turned, and noise"] = worse(x[:6], None, af.key(0))[0]
    answers = [ask(address, image) for images in versions.values() for image in images]
    titles = [f"{a['class']}: {a['probability']:.2f} ± {a['spread']:.2f}" for a in answers]
    viz.save(
        viz.grid(list(torch.cat([*versions.values()])), columns=6, titles=titles, rows=[*versions], cell=1.4), path
    )
    try:
        ask_wrong = Request(address, b"no image")
        urlopen(ask_wrong, timeout=30)
    except HTTPError as error:
        refused = f"{error.code} {json.load(error)['error']}"
    means = [sum(a["spread"] for a in answers[i : i + 6]) / 6 for i in (0, 6, 12)]
    said = "; ".join(f"{name} {mean:.2f}" for name, mean in zip(versions, means, strict=True))
    lines = [f"first answer: {answers[0]}", f"mean spread of six digits: {said}", f"what is no image: {refused}"]
    print(*lines, f"written: {path}", sep="\n")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
