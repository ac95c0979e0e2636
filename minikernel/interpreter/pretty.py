"""The plain text of a value: `_repr_pretty_`, or repr with long containers over several lines."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from minikernel.interpreter.base import Value

WIDTH = 79  # columns
LONGEST = 1000  # items of a container that are shown
DEEPEST = 50  # levels of nesting that are laid out

_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    dict: ("{", "}"),
}
_LEAVES = frozenset({int, float, complex, bool, str, bytes, type(None)})
_SAY_THEIR_NAME = frozenset({set, frozenset})  # in the repr of a subclass


def pretty(value: object) -> str:
    """Return the text of `value`; raises what its methods raise."""
    if type(value) in _LEAVES:
        return repr(value)
    printer = Printer()
    printer.pretty(value)
    return str(printer)


class Group(list[Any]):
    """Pieces that go on one line, or else begin a new one at each of their breaks."""

    width = 0  # columns, on one line
    breaks = False  # does not go on one line

    def add(self, piece: object, width: int, *, breaks: bool = False) -> None:
        """Add a text, a break or a group that is complete."""
        self.append(piece)
        self.width += width
        self.breaks = self.breaks or breaks


class Break:
    """Where a line may end."""

    def __init__(self, instead: str, indent: int) -> None:
        self.instead = instead  # if it does not end
        self.indent = indent  # of the next line
        self.newline = "\n" + " " * indent


class Printer:
    """What `_repr_pretty_(p, cycle)` prints on: IPython's RepresentationPrinter, in short."""

    def __init__(self, max_width: int = WIDTH) -> None:
        self.max_width = max_width
        self.max_seq_length = LONGEST
        self.newline = "\n"
        self.verbose = False
        self.indentation = 0
        self.stack: list[int] = []  # ids of the objects that are being printed
        self._groups = [Group()]

    def __str__(self) -> str:
        out: list[str] = []
        self._lay_out(self._groups[0], 0, 0, out)
        return "".join(out)

    # For objects that print themselves

    def text(self, obj: str) -> None:
        """Print a text as it is."""
        self._groups[-1].add(obj, len(obj), breaks="\n" in obj)

    def breakable(self, sep: str = " ") -> None:
        """Print `sep`, or end the line here if the group does not fit on it."""
        self._groups[-1].add(Break(sep, self.indentation), len(sep))

    def break_(self) -> None:
        """End the line."""
        self._groups[-1].add(Break("", self.indentation), 0, breaks=True)

    def begin_group(self, indent: int = 0, open: str = "") -> None:  # noqa: A002 - IPython's name
        """Print `open`; what follows, up to `end_group`, goes on one line or on many."""
        if open:
            self.text(open)
        self._groups.append(Group())
        self.indentation += indent

    def end_group(self, dedent: int = 0, close: str = "") -> None:
        """End a group."""
        self.indentation -= dedent
        group = self._groups.pop()
        self._groups[-1].add(group, group.width, breaks=group.breaks)
        if close:
            self.text(close)

    @contextmanager
    def group(self, indent: int = 0, open: str = "", close: str = "") -> Iterator[None]:  # noqa: A002 - as above
        """Make a group of what is printed in the block."""
        self.begin_group(indent, open)
        try:
            yield
        finally:
            self.end_group(indent, close)

    @contextmanager
    def indent(self, indent: int) -> Iterator[None]:
        """Indent the lines that begin in the block."""
        self.indentation += indent
        try:
            yield
        finally:
            self.indentation -= indent

    def flush(self) -> None:
        """Do nothing: the text is laid out when it is complete."""

    def pretty(self, obj: object) -> None:
        """Print an object."""
        if type(obj) in _LEAVES:
            self.text(repr(obj))
            return
        cycle = id(obj) in self.stack
        self.stack.append(id(obj))
        self.begin_group()
        try:
            self._pretty(obj, cycle=cycle)
        finally:
            self.end_group()
            self.stack.pop()

    # Objects that don't

    def _pretty(self, value: object, *, cycle: bool) -> None:
        if isinstance(value, type) and type(value).__repr__ is type.__repr__:
            self.text(_name(value))
            return
        kind = _speaker(type(value))
        if callable(vars(kind).get("_repr_pretty_")):
            kind._repr_pretty_(value, self, cycle)  # type: ignore[attr-defined]
        elif _is_plain_dataclass(kind):
            self._fields(value, kind, cycle=cycle)
        elif kind in _BRACKETS and (kind is type(value) or kind not in _SAY_THEIR_NAME):
            self._container(value, kind, cycle=cycle)
        else:
            self.text(repr(value))

    def _container(self, value: Value, kind: type, *, cycle: bool) -> None:
        opening, closing = _BRACKETS[kind]
        if cycle:
            self.text(f"{opening}...{closing}")
        elif not value or len(self.stack) > DEEPEST:
            self.text(repr(value))
        else:
            with self.group(len(opening), opening, closing):
                if kind is dict:
                    self._pairs(value)
                else:
                    self._items(_in_order(value) if kind in _SAY_THEIR_NAME else value)
                if kind is tuple and len(value) == 1:
                    self.text(",")

    def _items(self, items: Iterable[Any]) -> None:
        add = self._groups[-1].add
        for item in self._separated(items):
            if type(item) in _LEAVES:  # as pretty() does, but there may be many
                text = repr(item)
                add(text, len(text))
            else:
                self.pretty(item)

    def _pairs(self, value: dict[Any, Any]) -> None:
        for key, item in self._separated(value.items()):
            before = self._groups[-1].width
            self.pretty(key)
            self.text(": ")
            with self.indent(self._groups[-1].width - before):
                self.pretty(item)

    def _fields(self, value: object, kind: Value, *, cycle: bool) -> None:
        name = type(value).__qualname__
        if cycle:
            self.text("...")
            return
        shown = [field.name for field in kind.__dataclass_fields__.values() if _is_shown(field)]
        with self.group(len(name) + 1, f"{name}(", ")"):
            for field in self._separated(shown):
                self.text(f"{field}=")
                with self.indent(len(field) + 1):
                    self.pretty(getattr(value, field))

    def _separated(self, items: Iterable[Any]) -> Iterator[Any]:
        add, end = self._groups[-1].add, Break(" ", self.indentation)
        for number, item in enumerate(islice(items, LONGEST + 1)):
            if number:
                add(",", 1)
                add(end, 1)
            if number == LONGEST:
                add("...", 3)
            else:
                yield item

    # From pieces to lines

    def _lay_out(self, group: Group, column: int, after: int, out: list[str]) -> int:
        """Append the text of a group that begins at `column`; return where it ends.

        Args:
            group: What to lay out.
            column: Where it begins.
            after: The width of what has to stay on the same line as its end.
            out: Where the text goes.
        """
        fits = not group.breaks and column + group.width + after <= self.max_width
        for number, piece in enumerate(group):
            if isinstance(piece, str):
                out.append(piece)
                column = len(piece) + (-1 - piece.rfind("\n") if "\n" in piece else column)
            elif isinstance(piece, Break):
                out.append(piece.instead if fits else piece.newline)
                column = column + len(piece.instead) if fits else piece.indent
            else:
                rest = 0 if fits else _up_to_break(group, number + 1, after)[0]
                column = self._lay_out(piece, column, rest, out)
        return column


def _up_to_break(group: Group, start: int, after: int) -> tuple[int, bool]:
    """Return the width of what follows in a group until a line may end, and whether one may."""
    width = 0
    for piece in islice(group, start, None):
        if isinstance(piece, Break):
            return width, True
        if isinstance(piece, str):
            width += len(piece)
            continue
        more, ends = _up_to_break(piece, 0, 0)
        width += more
        if ends:
            return width, True
    return width + after, False


def _name(kind: type) -> str:
    """A class by its name, as IPython has it."""
    module = kind.__module__
    return kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"


def _speaker(kind: type) -> type:
    """Return the class in the MRO that says how its objects look."""
    for base in kind.__mro__:
        own = vars(base)
        if callable(own.get("_repr_pretty_")) or "__repr__" in own:
            return base
    return object


def _is_plain_dataclass(kind: type) -> bool:
    """Whether the class has the __repr__ that `dataclass` makes; told as pprint does."""
    own = vars(kind)
    made = getattr(own.get("__repr__"), "__wrapped__", None)
    return "__dataclass_fields__" in own and "__create_fn__" in getattr(made, "__qualname__", "")


def _is_shown(field: Value) -> bool:
    return bool(field.repr) and field._field_type.name == "_FIELD"  # noqa: SLF001 - as fields() does


def _in_order(value: Value) -> Value:
    """Sort a set if it can be sorted, as IPython does."""
    if len(value) > LONGEST:
        return value
    with suppress(Exception):  # the items' own comparison
        return sorted(value)
    return value
