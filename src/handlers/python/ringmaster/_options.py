"""The further keys of a handler's section, as its class gets them."""

import difflib
import json
from typing import Any, Callable, Iterable


class Options(dict[str, Any]):
    """Notes which keys were read, so that a misspelt one is refused."""

    def __init__(self, given: Iterable[tuple[str, str]]):
        values = {key: _value(text) for key, text in given}
        self.unread = set(values)
        self.known: set[str] = set()  # read by name, whether they are given or not
        super().__init__(values)

    def fault(self) -> str:
        """Names a key that nothing has read, and the key that may be meant. Empty: all are read."""
        if not self.unread:
            return ""
        key = min(self.unread)
        known = sorted(map(str, self.known))
        nearest = difflib.get_close_matches(key, known, 1)
        hint = f"did you mean {nearest[0]}?" if nearest else f"known: {', '.join(known) or 'none'}"
        return f'unknown option "{key}": nothing reads it; {hint}'


# The methods of dict that ask for one key, and those that may return every key.
_OF_ONE = ("__contains__", "__delitem__", "__getitem__", "get", "pop", "setdefault")
_OF_ALL = ("__iter__", "__reversed__", "items", "keys", "popitem", "values")


def _noting(name: str) -> Callable[..., Any]:
    original = getattr(dict, name)

    def method(self, *arguments):
        self.unread.difference_update(arguments[:1] if name in _OF_ONE else self.unread)
        self.known.update(arguments[:1] if name in _OF_ONE else ())
        return original(self, *arguments)

    return method


for _name in _OF_ONE + _OF_ALL:
    setattr(Options, _name, _noting(_name))


def _value(text: str) -> Any:
    """The value of an option. The server passes a string as it is, and any other value as JSON."""
    try:
        return json.loads(text) if text[:1] in "[{-0123456789tf" else text
    except ValueError:
        return text
