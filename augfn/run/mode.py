"""The mode of torch that a call runs in: plain, differentiated, transformed or recorded.

Asked here alone; what depends on it asks by these names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from augfn.errors import explain
from augfn.supported import HERE, WHOLE

# On small images a call is bound by the dispatch of some two hundred small ops, a fifth of which is autograd's
# bookkeeping.
below_autograd = getattr(torch._C, "_AutoDispatchBelowAutograd", torch.no_grad)


def modes() -> tuple[Callable[[], Any], ...]:
    """What tells that operators are being recorded or transformed; empty where torch hides any of it."""
    core: Any = torch._C
    functorch: Any = getattr(core, "_functorch", None)
    names = ("_get_tracing_state", "_len_torch_dispatch_stack", "_is_torch_function_mode_enabled", "_dispatch_keys")
    if not all(hasattr(core, name) for name in names) or not hasattr(functorch, "peek_interpreter_stack"):
        return ()
    return (*(getattr(core, name) for name in names[:3]), functorch.peek_interpreter_stack)


def plain_keysets() -> frozenset[int]:
    """Dispatch keys of an ordinary CPU tensor; empty, so that the numpy way is never taken, where torch hides them."""
    if not MODES:
        return frozenset()
    with torch.inference_mode():
        inference = torch.empty(0, device="cpu")
    return frozenset(torch._C._dispatch_keys(t).raw_repr() for t in (torch.empty(0, device="cpu"), inference))


MODES = modes()
HIDES = tuple(HERE) < WHOLE  # within a transform 2.9 lists the values of no tensor, though it tells each of them
PLAIN = plain_keysets()


def is_plain(*values: int | Tensor) -> bool:
    """Tell whether numpy may compute on the values: ordinary CPU tensors, outside any trace.

    False under a compiler or a mode that records operators (make_fx, fake tensors), within forward differentiation,
    and for a tensor that stands for others (vmap, grad, functionalize, a subclass, another device).

    >>> x = torch.zeros(2)
    >>> is_plain(x), torch.func.vmap(lambda x: torch.tensor(is_plain(x)))(x)
    (True, tensor([False, False]))
    """
    if torch.compiler.is_compiling() or not PLAIN:
        return False
    traced, moded, functioned, transformed = MODES
    if traced() or moded() or functioned() or transformed():  # even a plain tensor hides its data in a transform
        return False
    if forward_ad._current_level >= 0:  # a dual tensor looks plain
        return False
    return all([torch._C._dispatch_keys(v).raw_repr() in PLAIN for v in values if isinstance(v, Tensor)])  # noqa: C419 - faster


def is_functional() -> bool:
    """Tell whether a compiler or a transform of `torch.func` is at work, in which `torch.autograd.grad` has no place.

    >>> is_functional(), torch.func.vmap(lambda x: x * is_functional())(torch.ones(1))
    (False, tensor([1.]))
    """
    return torch.compiler.is_compiling() or (bool(MODES) and MODES[-1]() is not None)


def untracked(*values: Tensor) -> bool:
    """Tell whether the values are plain and none of them asks for a gradient."""
    return is_plain(*values) and not any(v.requires_grad for v in values if isinstance(v, Tensor))


def recorded(*values: Any) -> bool:
    """Tell whether autograd records what is made of the values, and nothing else does."""
    if torch.compiler.is_compiling() or not torch.is_grad_enabled():
        return False
    return any([isinstance(v, Tensor) and v.requires_grad for v in values]) and is_plain(*values)  # noqa: C419 - faster


def asks_gradient(t: Tensor) -> bool:
    """Tell whether a gradient to the tensor is wanted, by autograd or within a transform.

    >>> torch.func.grad(lambda x: x * asks_gradient(x))(torch.tensor(2.0)), asks_gradient(torch.tensor(2.0))
    (tensor(1.), False)
    """
    if torch.compiler.is_compiling():
        return (
            torch.is_grad_enabled() and (t * 1).requires_grad
        )  # which Dynamo does not know of an input of a transform
    if forward_ad._current_level >= 0 and forward_ad.unpack_dual(t).tangent is not None:
        return True
    if not torch.is_grad_enabled():
        return False
    core: Any = torch._C._functorch  # type: ignore[attr-defined]
    while not t.requires_grad and core.is_functorch_wrapped_tensor(t):
        t = core.get_unwrapped(t)
    return t.requires_grad


def is_followed(t: Tensor) -> bool:
    """Tell whether the innermost transform of `torch.func` differentiates the tensor: it is made of what that is in. A
    compiler is not asked: True.

    >>> torch.func.grad(lambda x: x * is_followed(x) + is_followed(torch.ones(())))(torch.ones(()))
    tensor(1.)
    """
    if torch.compiler.is_compiling() or not MODES:
        return True
    core: Any = torch._C._functorch  # type: ignore[attr-defined]
    return t.requires_grad and core.maybe_get_level(t) == core.maybe_current_level()


def is_readable(t: Tensor) -> bool:
    """Tell whether the values are known here and now, at no cost: an ordinary tensor on the host, in eager code.

    >>> x = torch.zeros(2)
    >>> is_readable(x), torch.func.vmap(lambda y: torch.tensor([is_readable(x), is_readable(y)]))(x)[0]
    (True, tensor([ True, False]))
    """
    if torch.compiler.is_compiling() or not PLAIN:
        return False
    traced, moded, functioned, _ = MODES
    return not (traced() or moded() or functioned()) and torch._C._dispatch_keys(t).raw_repr() in PLAIN


def is_listable(t: Tensor) -> bool:
    """Tell whether all values of a tensor can be listed at once, at no cost."""
    return is_readable(t) and not (HIDES and is_functional())


def autocasts(device: torch.device) -> bool:
    """Tell whether autocast is on for the device (some, such as "meta", have none)."""
    return torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type)


def require_eager(what: str, want: str, fix: str) -> None:
    """Raises where a compiler traces the call of what reads numbers on the way."""
    if torch.compiler.is_compiling():
        raise ValueError(explain(f"{what} cannot be compiled", "a trace", want, fix))
