"""Code of their own for what torch.compile keeps apart by code objects.

Dynamo keeps what it compiled per code object, and eight versions at most. All augmentations share the code of one
`__call__`, all modules that of one `forward`: so the ninth would fail.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import FunctionType, MethodType
from typing import Any
from weakref import WeakKeyDictionary

import torch


def copied(function: Any) -> FunctionType:
    """The same function with another code object."""
    code, closure = function.__code__.replace(), function.__closure__
    new = FunctionType(code, function.__globals__, function.__name__, function.__defaults__, closure)
    new.__kwdefaults__, new.__annotations__ = function.__kwdefaults__, function.__annotations__
    new.__doc__, new.__module__, new.__qualname__ = function.__doc__, function.__module__, function.__qualname__
    return new


class OwnCode:
    """Decorates a method: every instance has a copy of it, kept beside the instance, which is saved and copied as ever.

    >>> class A:
    ...     @OwnCode
    ...     def value(self):
    ...         return 1
    >>> a, b = A(), A()
    >>> a.value() + b.value(), a.value.__code__ is a.value.__code__, a.value.__code__ is b.value.__code__
    (2, True, False)
    """

    def __init__(self, method: Callable[..., Any]) -> None:
        self.method = method
        self.copies: WeakKeyDictionary[Any, FunctionType] = WeakKeyDictionary()
        self.__doc__ = method.__doc__

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self.method
        if torch.compiler.is_compiling():  # part of what another function compiles
            return partial(self.method, instance)
        found = self.copies.get(instance)
        if found is None:
            found = self.copies[instance] = copied(self.method)
        return MethodType(found, instance)
