"""Expected answers: bytes (exactly these), or an Error or a Batch, which compare the relevant
members.
"""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Error:
    """An error response. `id`: the expected bytes."""

    code: int
    id: bytes = b"null"
    reason: str | None = None
    says: str = ""
    limit: int | None = None

    def check(self, raw: bytes):
        assert raw.startswith(b'{"jsonrpc":"2.0","id":' + self.id + b',"error":{"code":'), raw
        self.check_parsed(json.loads(raw))

    def check_parsed(self, answer: dict[str, Any]):
        assert answer.keys() == {"jsonrpc", "id", "error"}, answer
        assert answer["id"] == json.loads(self.id), answer
        error = answer["error"]
        assert error.keys() == {"code", "message", "data"}, answer
        assert error["code"] == self.code and self.says in error["message"], answer
        data = error["data"]
        assert data["reason"] == self.reason if self.reason else data["reason"], answer
        assert data["retryable"] is False and data["executed"] is False, answer
        assert data.get("limit") == self.limit, answer


@dataclass(frozen=True)
class Batch:
    """One array with these answers, in this order: results as dict, errors as Error."""

    answers: tuple[Any, ...]

    def check(self, raw: bytes):
        found = json.loads(raw)
        assert isinstance(found, list) and len(found) == len(self.answers), raw
        for answer, expected in zip(found, self.answers, strict=True):
            if isinstance(expected, Error):
                expected.check_parsed(answer)
            else:
                assert answer == expected, raw


def check(answer: bytes, expected: bytes | Error | Batch):
    if isinstance(expected, bytes):
        assert answer == expected
    else:
        expected.check(answer)


def result(id: Any, value: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "result": value}
