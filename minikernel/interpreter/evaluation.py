"""The value of an expression as far as it is known without running the user's code.

What is looked up for completion and inspection: names, attributes, and items by a literal key, as
IPython's policy "limited" has it. Nothing is called. Properties, `__getattr__` and `__getitem__`
run only if they are Python's own or those of `TRUSTED` libraries.
"""

from __future__ import annotations

import ast
import builtins
import inspect
from types import GetSetDescriptorType, MemberDescriptorType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minikernel.interpreter.base import Value

TRUSTED = {"builtins", "collections", "os", "types", "numpy", "pandas", "polars", "xarray"}
_ABSENT = object()
_STORED = (GetSetDescriptorType, MemberDescriptorType, classmethod, staticmethod)

Namespace = dict[str, Any]


def evaluate(expression: str, namespace: Namespace) -> Value:
    """Return the value of an expression.

    Raises:
        LookupError: it has none, or it takes running the user's code to know. What a property
            would give is not known, but at the end it is returned as the property itself.
    """
    try:
        return _value(ast.parse(f"({expression}\n)", mode="eval").body, namespace)
    except LookupError:
        raise
    except Exception as problem:  # no Python, or what the objects raise
        raise LookupError(expression) from problem


def known(expression: str, namespace: Namespace) -> Value:
    """Return the value of an expression; raises LookupError for a property at its end, too."""
    value = evaluate(expression, namespace)
    if _is_computed(value):
        raise LookupError(expression)
    return value


def _value(node: ast.expr, namespace: Namespace) -> Value:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return _name(node.id, namespace)
    if isinstance(node, ast.Attribute):
        return _attribute(_known(node.value, namespace), node.attr)
    if isinstance(node, ast.Subscript):
        return _item(_known(node.value, namespace), ast.literal_eval(node.slice))
    raise LookupError("not looked up")


def _known(node: ast.expr, namespace: Namespace) -> Value:
    """Return a value that more is asked of: a property that stays one gives none."""
    value = _value(node, namespace)
    if isinstance(node, ast.Attribute) and _is_computed(value):
        raise LookupError(node.attr)
    return value


def _name(name: str, namespace: Namespace) -> Value:
    value = namespace.get(name, _ABSENT)
    if value is _ABSENT:
        value = getattr(builtins, name, _ABSENT)
    if value is _ABSENT:
        raise LookupError(name)
    return value


def _attribute(value: object, name: str) -> Value:
    static = inspect.getattr_static(value, name, _ABSENT)
    kind = type(value)
    if isinstance(value, ModuleType):
        return getattr(value, name)
    if static is _ABSENT:
        if _is_trusted(kind, "__getattr__"):
            return getattr(value, name)
        raise LookupError(name)
    code = name if _is_computed(static) and not isinstance(value, type) else "__getattribute__"
    return getattr(value, name, static) if _is_trusted(kind, code) else static


def _item(value: Value, key: object) -> Value:
    kind = type(value)
    if not _is_trusted(kind, "__getitem__") or (hasattr(kind, "__missing__") and key not in value):
        raise LookupError(key)
    return value[key]


def _is_computed(static: object) -> bool:
    """Whether code of its own gives the attribute: a property, or another descriptor."""
    if not hasattr(type(static), "__get__") or callable(static) or isinstance(static, _STORED):
        return False
    return type(static).__name__ != "_tuplegetter"  # a named tuple's


def _is_trusted(kind: type, name: str) -> bool:
    """Whether the class that defines a method or property is one whose code may run."""
    for base in kind.__mro__:
        if name in vars(base):
            return str(base.__module__).partition(".")[0] in TRUSTED
    return False
