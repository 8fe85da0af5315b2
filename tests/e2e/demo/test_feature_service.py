"""The feature service: its users, and its errors for invalid requests."""

import gzip
import json

import pytest
from feature_client import CATEGORIES
from proc import private_bytes
from sessions_file import HEADER, write_sessions


def test_a_user_has_events_in_order(feature_service):
    service = feature_service()
    assert service.user_count == 1_000_000
    with_many = [service.events(user_id) for user_id in range(1, 300)]
    for events in with_many:
        assert 1 <= len(events) <= 500
        times = [event["ts"] for event in events]
        assert times == sorted(times) and times[0] >= 1_700_000_000
        assert all(event["category"] in CATEGORIES for event in events)
    assert 3 < sum(map(len, with_many)) / len(with_many) < 7


def test_the_same_user_is_always_the_same(feature_service):
    one = feature_service()
    other = feature_service("--seed", 9, "--delay-ms", 1, name="other")
    for user_id in (1, 42, 999_999, 1_000_000):
        assert one.events(user_id) == one.events(user_id) == other.events(user_id)
    # These values are the same on every machine.
    assert [event["category"] for event in one.events(42)] == ["on-air", "news", "summary", "tech"]
    assert one.events(42)[0]["ts"] == 1700058756


def test_an_unknown_user_is_404(feature_service):
    service = feature_service()
    for user_id in (0, -1, 1_000_001, 2**63 - 1, 2**64 - 1, -(2**63)):
        status, body = service.ask(user_id)
        assert status == 404 and "unknown user" in json.loads(body)["error"], user_id


@pytest.mark.parametrize("packed", [False, True])
def test_users_come_from_a_sessions_file(feature_service, tmp_path, packed):
    path = write_sessions(tmp_path, HEADER + "1 1 \r\n17 \r\n3 2 14", packed)
    service = feature_service("--sessions", path)
    assert service.user_count == 3
    found = [[event["category"] for event in service.events(n)] for n in (1, 2, 3)]
    assert found == [["frontpage"] * 2, ["travel"], ["tech", "news", "sports"]]
    assert service.ask(4)[0] == 404
    assert service.ask(0)[0] == 404


def test_the_real_sessions(feature_service, root):
    path = root.parent / "shared/data/msnbc/sessions.seq.gz"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    service = feature_service("--sessions", path)
    assert service.user_count == 800_000
    lines = gzip.open(path, "rt").read().splitlines()[7:]
    for user_id in (1, 3, 42, 12_345, 799_999, 800_000):
        expected = [CATEGORIES[int(number) - 1] for number in lines[user_id - 1].split()]
        assert [event["category"] for event in service.events(user_id)] == expected


def test_everyone_has_as_many_events_as_asked_for(feature_service, tmp_path):
    path = write_sessions(tmp_path, HEADER + "1 2 3\n4\n")
    of_file = feature_service("--sessions", path, "--events", 7, name="of_file")
    categories = [event["category"] for event in of_file.events(1)]
    assert categories == ["frontpage", "news", "tech"] * 2 + ["frontpage"]
    of_chain = feature_service("--events", 7, name="of_chain")
    free = feature_service(name="free")
    assert of_chain.events(42)[:4] == free.events(42)
    assert len(of_chain.events(42)) == 7
    assert feature_service("--events", 0, name="none").events(42) == []


def test_a_million_events_are_streamed_in_bounded_memory(feature_service):
    service = feature_service("--events", 1_000_000)
    before = private_bytes(service.process.pid)
    connection = service.connect()
    for _ in range(2):
        status, body = service.ask(42, connection=connection)
        assert status == 200 and len(body) > 30_000_000
    assert len(json.loads(body)["events"]) == 1_000_000
    assert private_bytes(service.process.pid) < before + (16 << 20)
    connection.close()


# --- requests that are wrong ---


def test_a_body_without_a_user_id_is_400(feature_service):
    service = feature_service()
    for body in (
        "",
        "{",
        "[]",
        "42",
        "{}",
        '{"user_id": "42"}',
        '{"user_id": 4.5}',
        '{"user_id": null}',
        '{"user_id": true}',
        '{"user_id": 123456789012345678901234567890}',
        '{"user_id": 1} x',
        b'{"user_id": 1, "x": "\xff"}',
        "[" * 1_000_000,
    ):
        status, answer = service.post(body)
        assert status == 400, body[:50]
        assert json.loads(answer)["error"].startswith("expected "), (body[:50], answer)


def test_methods_and_paths(feature_service):
    service = feature_service()
    for method, path, status in (
        ("GET", "/features", 405),
        ("PUT", "/features", 405),
        ("HEAD", "/features", 405),
        ("POST", "/feature", 404),
        ("POST", "/", 404),
        ("GET", "/features/42", 404),
        ("POST", "/features?x=1", 200),
    ):
        connection = service.connect()
        for _ in range(2):  # the first answer leaves the connection usable
            connection.request(method, path, '{"user_id": 1}')
            response = connection.getresponse()
            body = response.read()
            assert response.status == status, (method, path)
            assert (body == b"") == (method == "HEAD"), (method, path)
            assert (response.headers["Allow"] == "POST") == (status == 405), (method, path)
        connection.close()
