"""Pickles read as plain data: a small interpreter that can import nothing and call nothing.

Python's own unpickler is a machine for calling functions. This one knows the few operations that
the official files consist of; the names a file mentions are looked up in a table of our own
functions, which build inert records, and a name outside that table is refused before anything else
is read. Dictionary keys are text or whole numbers, so that no key is costly to hash, and both size
and number of operations are bounded.
"""

from __future__ import annotations

import pickletools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from contrique_cli.errors import BadModelFile, RefusedPickle

SIZE_LIMIT = 1 << 20
"""Bytes; the pickles of official regressors have some 40,000, those of checkpoints 100,000."""

OPERATION_LIMIT = 200_000
"""Operations; official regressors have about 200, checkpoints 15,000."""

PROTOCOLS = (2, 3)
"""torch writes the former, the official regressors are the latter."""

Maker = Callable[..., object]
"""Makes a record of ours from the arguments in a pickle; ValueError for any it does not expect."""

Names = Mapping[tuple[str, str], Maker | None]
"""(module, name) to its maker; None for a name that is only mentioned, such as that of a type."""


class Record(ABC):
    """What a maker returns where the pickle goes on to set a state."""

    @abstractmethod
    def build(self, state: object) -> None:
        """Take the state; ValueError for any that is not expected."""


@dataclass(frozen=True)
class Name:
    """A name in a pickle: text and a maker of ours, never the thing it names."""

    module: str
    name: str
    make: Maker | None

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


def read(
    file: IO[bytes], *, path: Path, names: Names, persistent: Callable[[object], object] | None
) -> Any:
    """The value of one pickle; the file is left just behind it.

    Args:
        file: in memory, at most `SIZE_LIMIT` bytes, positioned at the pickle.
        path: for messages.
        names: all the names that the pickle may mention.
        persistent: what to make of references to data outside the pickle; None refuses them.

    Returns:
        Dictionaries, lists, tuples, text, bytes, numbers, and what `names` make.

    Raises:
        RefusedPickle: it asks for more than data; nothing of it has been executed.
        BadModelFile: it is no whole pickle.
    """
    machine = _Machine(names=names, persistent=persistent)
    try:
        while machine.step(file):
            pass
        return machine.pop()
    except _Refusal as error:
        raise RefusedPickle(
            f"{path} {error}, which no official CONTRIQUE file needs; nothing of it was executed. "
            "Fetch the file again from its authors"
        ) from None
    except (ValueError, EOFError, MemoryError, OverflowError) as error:
        raise BadModelFile(
            f"{path} is damaged: it is no whole pickle ({printable(str(error))}); fetch it again"
        ) from error


def printable(text: str) -> str:
    """Foreign text made safe and short for a message: no control characters for a terminal."""
    shown = text[:80].encode("ascii", "backslashreplace").decode()
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in shown)


class _Refusal(Exception):
    """Why a pickle is refused, in words that follow its path."""


@dataclass
class _Machine:
    """The interpreter's state: a stack, the marks on it, and the memo."""

    names: Names
    persistent: Callable[[object], object] | None
    stack: list[object] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, object] = field(default_factory=dict)
    steps: int = 0

    def step(self, file: IO[bytes]) -> bool:
        """Carry out one operation; False at the end."""
        self.steps += 1
        if self.steps > OPERATION_LIMIT:
            raise _Refusal(f"has more than {OPERATION_LIMIT:,} operations")
        code = file.read(1)
        if not code:
            raise ValueError("it has no end")
        operation = _OPERATIONS.get(code)
        if operation is None:
            raise ValueError(f"there is no operation {code!r}")
        if operation.name == "STOP":
            return False
        if operation.name not in _ACTS:
            raise _Refusal(f"uses the pickle operation {operation.name}")
        argument: object = None
        if operation.name == "GLOBAL":
            argument = _line(file), _line(file)
        elif operation.arg is not None:
            argument = operation.arg.reader(file)
        _ACTS[operation.name](self, argument)
        return True

    def push(self, value: object) -> None:
        self.stack.append(value)

    def top(self) -> object:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise ValueError("an operation finds nothing to work on")
        return self.stack[-1]

    def pop(self) -> object:
        self.top()
        return self.stack.pop()

    def pop_marked(self) -> list[object]:
        if not self.marks:
            raise ValueError("a mark is missing")
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def protocol(self, version: int) -> None:
        if version not in PROTOCOLS:
            raise _Refusal(f"is a pickle of protocol {version}")

    def name(self, words: tuple[str, str]) -> None:
        if words not in self.names:
            raise _Refusal(f"asks for {printable('.'.join(words))}")
        self.push(Name(*words, self.names[words]))

    def persist(self) -> None:
        if self.persistent is None:
            raise _Refusal("refers to data outside itself")
        value = self.pop()
        try:
            self.push(self.persistent(value))
        except (TypeError, ValueError) as error:
            raise _Refusal(f"refers to data in an odd way ({printable(str(error))})") from error

    def call(self) -> None:
        arguments, name = self.pop(), self.pop()
        if not isinstance(name, Name) or name.make is None:
            what = str(name) if isinstance(name, Name) else "something that is no name"
            raise _Refusal(f"calls {what}")
        if type(arguments) is not tuple:
            raise _Refusal(f"calls {name} with odd arguments")
        try:
            self.push(name.make(*arguments))
        except (TypeError, ValueError) as error:
            raise _Refusal(f"calls {name} with odd arguments ({printable(str(error))})") from error

    def build(self) -> None:
        state, target = self.pop(), self.top()
        if not isinstance(target, Record):
            raise _Refusal("sets the state of something that has none")
        try:
            target.build(state)
        except (TypeError, ValueError) as error:
            raise _Refusal(f"sets an odd state ({printable(str(error))})") from error

    def set_items(self, items: list[object]) -> None:
        target = self.top()
        if not isinstance(target, dict):
            raise _Refusal("sets items of something that is no dictionary")
        if len(items) % 2:
            raise ValueError("a key without a value")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) not in (str, int):
                raise _Refusal("has a dictionary key that is neither text nor a whole number")
            target[key] = value

    def append(self, items: list[object]) -> None:
        target = self.top()
        if type(target) is not list:
            raise _Refusal("appends to something that is no list")
        target.extend(items)

    def tuple_of(self, length: int) -> None:
        values = [self.pop() for _ in range(length)]
        self.push(tuple(reversed(values)))

    def put(self, index: int) -> None:
        self.memo[index] = self.top()

    def get(self, index: int) -> None:
        if index not in self.memo:
            raise ValueError("it refers to a value that is not there")
        self.push(self.memo[index])

    def pop_pair(self) -> list[object]:
        value, key = self.pop(), self.pop()
        return [key, value]


def _line(file: IO[bytes]) -> str:
    """Text up to the end of the line, letter for letter: pickletools would undo escapes in it."""
    line = file.readline()
    if not line.endswith(b"\n"):
        raise ValueError("a name has no end")
    return line[:-1].decode()


_Act = Callable[[_Machine, Any], object]

_LITERALS = (
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINBYTES", "BINBYTES"),
)

_ACTS: dict[str, _Act] = {
    **dict.fromkeys(_LITERALS, lambda m, value: m.push(value)),
    "PROTO": lambda m, version: m.protocol(version),
    "NONE": lambda m, _: m.push(None),
    "NEWTRUE": lambda m, _: m.push(True),
    "NEWFALSE": lambda m, _: m.push(False),
    "EMPTY_TUPLE": lambda m, _: m.push(()),
    "EMPTY_LIST": lambda m, _: m.push([]),
    "EMPTY_DICT": lambda m, _: m.push({}),
    "MARK": lambda m, _: m.marks.append(len(m.stack)),
    "TUPLE": lambda m, _: m.push(tuple(m.pop_marked())),
    "TUPLE1": lambda m, _: m.tuple_of(1),
    "TUPLE2": lambda m, _: m.tuple_of(2),
    "TUPLE3": lambda m, _: m.tuple_of(3),
    "APPEND": lambda m, _: m.append([m.pop()]),
    "APPENDS": lambda m, _: m.append(m.pop_marked()),
    "SETITEM": lambda m, _: m.set_items(m.pop_pair()),
    "SETITEMS": lambda m, _: m.set_items(m.pop_marked()),
    "BINPUT": lambda m, index: m.put(index),
    "LONG_BINPUT": lambda m, index: m.put(index),
    "BINGET": lambda m, index: m.get(index),
    "LONG_BINGET": lambda m, index: m.get(index),
    "GLOBAL": lambda m, words: m.name(words),
    "REDUCE": lambda m, _: m.call(),
    "NEWOBJ": lambda m, _: m.call(),
    "BUILD": lambda m, _: m.build(),
    "BINPERSID": lambda m, _: m.persist(),
}
"""Every operation that is carried out, by its name in `pickletools`; the argument of any other is
not even read."""

_OPERATIONS = {one.code.encode("latin-1"): one for one in pickletools.opcodes}
