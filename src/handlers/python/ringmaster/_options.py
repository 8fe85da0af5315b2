"""The further keys of a handler's section, as its class gets them."""

import json
from typing import Any, Iterable


class Options(dict[str, Any]):
    """Notes which keys were read, so that a misspelt one is refused."""

    def __init__(self, given: Iterable[tuple[str, str]]):
        values = {key: _value(text) for key, text in given}
        self.unread = set(values)
        super().__init__(values)

    def __getitem__(self, key):
        self.unread.discard(key)
        return super().__getitem__(key)

    def get(self, key, default=None):
        return self[key] if key in self else default

    def pop(self, key, *default):
        self.unread.discard(key)
        return super().pop(key, *default)

    def __iter__(self):
        self.unread.clear()
        return super().__iter__()

    def keys(self):
        self.unread.clear()
        return super().keys()

    def values(self):
        self.unread.clear()
        return super().values()

    def items(self):
        self.unread.clear()
        return super().items()


def _value(text: str) -> Any:
    """The server gives a text as it is and any other value as JSON."""
    try:
        return json.loads(text) if text[:1] in "[{-0123456789tf" else text
    except ValueError:
        return text
