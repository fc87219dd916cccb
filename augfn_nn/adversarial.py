"""A module that augments each image as the attacked model can bear it least."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.serialization import add_safe_globals

from augfn.adversarial import augmentation_of, check, worst_params
from augfn.core.augmentation import Augmentation
from augfn.core.draw import Params
from augfn.errors import explain
from augfn_nn.augment import Augment, Generator, as_key, is_drawn


class Held:
    """A model that is neither copied nor saved along with what attacks it."""

    def __init__(self, model: Any = None) -> None:
        self.model = model

    def __deepcopy__(self, memo: dict[int, Any]) -> Held:
        return Held(memo.get(id(self.model), self.model))  # the copy, where it was made in the same breath

    def __reduce__(self) -> tuple[Any, ...]:
        return Held, ()


class WorstCase(Augment):
    """Adversarial augmentation: each image at the worst params in the ranges of `f`, as `augfn.learn.worst_case` finds them.

    * `model`: what is attacked, as it is at each call. It is no submodule: its parameters are not in the `state_dict` of
      this module, and it stays where and in the mode that it is. Nor is it saved with `torch.save(aug)`: set
      `aug.attacked.model` after loading.
    * `f`: an augmentation of one image each.
    * `steps`, `loss`, `method`, `restarts`: those of `worst_case`; a call costs 2 `steps` evaluations of the model for
      each image, and needs the labels.

    `aug(images, labels, generator=None)` returns the augmented images; a gradient flows through them to the images, and
    none through the search. What was found is kept in `aug._params`, and `aug(images, params=aug._params)` replays it. In
    `eval()` nothing is searched: as in `Augment` what is random is dropped, and the rest acts. `index=` and `epoch=`
    are those of `Augment`.

    Source: Madry et al. 2018, "Towards deep learning models resistant to adversarial attacks", with params in place of
    pixels.

    >>> import torch, augfn as af
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 2))
    >>> aug = WorstCase(model, af.brightness(factor=(0.5, 1.5)), steps=5)
    >>> images, labels = torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 0, 1])
    >>> loss = torch.nn.functional.cross_entropy(model(aug(images, labels)), labels)
    >>> aug._params["factor"].shape, [*aug.state_dict()]
    (torch.Size([4]), ['key', 'ranges.factor/low', 'ranges.factor/high'])
    """

    labelled = True

    def __init__(
        self,
        model: Callable[[Tensor], Any],
        f: Augmentation,
        steps: int = 10,
        *,
        loss: Callable[[Any, Tensor], Tensor] | None = None,
        method: str = "gradient",
        restarts: int | None = None,
    ) -> None:
        super().__init__(f)
        augmentation_of(f, "WorstCase")
        check(steps, method, restarts)
        self.attacked = Held(model)
        self.steps, self.settings = steps, {"loss": loss, "method": method, "restarts": restarts}

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        images: Any,
        labels: Tensor | None = None,
        generator: Generator | None = None,
        *,
        params: Params | None = None,
        index: Any = None,
        epoch: int = 0,
    ) -> Any:
        tree = self.tree(params)
        if tree is not None and not is_drawn(tree):
            if labels is None:
                want, fix = "the labels of the images", "aug(images, labels), or aug(images, params=...) to replay"
                raise ValueError(explain("WorstCase: no labels", labels, want, fix))
            batch = tuple(images.shape[:1]) if isinstance(images, Tensor) else None
            if self.attacked.model is None:
                want, fix = "a model to attack, which is not saved along", "aug.attacked.model = model"
                raise ValueError(explain("WorstCase: no model", None, want, fix))
            key = as_key(self.keyed(generator, index, epoch, batch))
            tree = worst_params(self.attacked.model, images, labels, self.f, tree, self.steps, key, **self.settings)
        return self.unchanged(images) if tree is None else self.augment(images, tree, None, None, 0)


add_safe_globals([WorstCase, Held])
