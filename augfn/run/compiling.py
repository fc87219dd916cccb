"""Code of its own for what torch.compile keeps apart by code objects.

Dynamo keeps what it compiled per code object, and eight versions at most. All augmentations share the code of one
`__call__`, all modules that of one `forward`: so the ninth would fail.
"""

from __future__ import annotations

from types import FunctionType, MethodType
from typing import Any


def own_code(method: Any) -> Any:
    """The same method with another code object; what is no plain method stays as it is.

    >>> class A:
    ...     def value(self):
    ...         return 1
    >>> a = A()
    >>> own = own_code(a.value)
    >>> own(), own.__code__ is a.value.__code__
    (1, False)
    """
    function = getattr(method, "__func__", None)
    if not isinstance(function, FunctionType):
        return method
    code, closure = function.__code__.replace(), function.__closure__
    new = FunctionType(code, function.__globals__, function.__name__, function.__defaults__, closure)
    new.__kwdefaults__, new.__annotations__ = function.__kwdefaults__, function.__annotations__
    new.__doc__, new.__module__, new.__qualname__ = function.__doc__, function.__module__, function.__qualname__
    new.__dict__.update(function.__dict__)
    return MethodType(new, method.__self__)
