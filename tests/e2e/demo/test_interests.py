"""interests.predict on real input, over TCP: the answers for held-out users equal those of Python's
XGBoost with the same model, and are right as often as documented.
"""

import os
import signal

import interests_reference as reference
import pytest
from client import RpcError, request
from scripted_upstream import ScriptedUpstream, answer
from sessions_file import HEADER, write_sessions

USERS = 10_000
IN_FLIGHT = 500  # at a time
TOLERANCE = 1e-5

needs_data = pytest.mark.skipif(
    not reference.SESSIONS.exists(), reason="the data is not beside the project"
)


@pytest.fixture
def predictor(server, feature_service, root):
    """predictor(sessions) -> a client of a server whose users are those of the file."""

    def start(sessions):
        upstream = feature_service("--sessions", sessions)
        steps = [{"fetch": "users", "body": {"user_id": "${params.user_id}"}}, {"run": "interests"}]
        running = server(
            upstreams={"users": {"url": upstream.url, "timeout_ms": 30_000}},
            handlers={"interests": {"model": root / "conf/models/interests.ubj"}},
            methods={"interests.predict": {"steps": steps}},
        )
        return running.connect()

    return start


def ask(client, user_ids):
    """The server's answers for these users: [{category: score}]; checks each answer's form."""
    predictions = {}
    for begin in range(0, len(user_ids), IN_FLIGHT):
        some = user_ids[begin : begin + IN_FLIGHT]
        client.send(b"".join(request("interests.predict", {"user_id": n}, n) for n in some))
        for user_id, answer in client.answers(len(some)).items():
            assert answer["result"]["user_id"] == user_id, answer
            interests = answer["result"]["interests"]
            scores = [interest["score"] for interest in interests]
            assert scores == sorted(scores, reverse=True) and abs(sum(scores) - 1) < 1e-4
            predictions[user_id] = {i["category"]: i["score"] for i in interests}
            assert sorted(predictions[user_id]) == sorted(reference.CATEGORIES)
    return [predictions[user_id] for user_id in user_ids]


def assert_same(predictions, expected):
    for prediction, row in zip(predictions, expected, strict=True):
        for category, score in zip(reference.CATEGORIES, row, strict=True):
            assert abs(prediction[category] - score) <= TOLERANCE, (category, prediction, row)


def test_a_model_that_became_a_fifo_is_an_error_and_not_waited_for(server, root, tmp_path):
    """The configuration was checked at the start. The next fork server loads the model again."""
    model = tmp_path / "model.ubj"
    model.write_bytes((root / "conf/models/interests.ubj").read_bytes())
    running = server(handlers={"interests": {"model": model}})
    model.unlink()
    os.mkfifo(model)
    os.kill(running.fork_server(), signal.SIGKILL)
    running.wait_for_line(f"model {model}: expected a file")


def test_each_of_a_batch_is_answered_for_its_own_user(server, root):
    """One worker predicts the same for users in a batch as for each user alone."""
    running = server(
        workers={"count": 1},
        handlers={"interests": {"model": root / "conf/models/interests.ubj", "batch": 32}},
    )
    some = [
        {"user_id": id, "events": [{"category": name, "ts": 1}] * (id % 5)}
        for id, name in enumerate(reference.CATEGORIES * 6)
    ]
    alone = [running.call("interests", user) for user in some]
    assert [answer["user_id"] for answer in alone] == list(range(len(some)))
    with running.connect() as client:
        client.send(b"".join(request("interests", user, user["user_id"]) for user in some))
        together = client.answers(len(some))
    assert [together[id]["result"] for id in range(len(some))] == alone


@pytest.mark.parametrize("steps, code", [((), -32602), (({"fetch": "users"},), -32015)])
def test_it_is_said_whose_fault_a_bad_user_is(server, root, steps, code):
    def serve(connection, body):
        connection.sendall(answer(b"{}"))

    with ScriptedUpstream(serve) as upstream:
        running = server(
            upstreams={"users": {"url": upstream.url}},
            handlers={"interests": {"model": root / "conf/models/interests.ubj"}},
            methods={"interests": {"steps": [*steps, {"run": "interests"}]}},
        )
        with pytest.raises(RpcError) as failed:
            running.call("interests", {})
    assert failed.value.code == code and "user_id: expected an integer" in failed.value.message


@needs_data
@pytest.mark.timeout(300)
def test_answers_are_those_of_pythons_xgboost(predictor):
    users = reference.held_out_users(1000)
    assert len(users) == 1000
    client = predictor(reference.SESSIONS)
    predictions = ask(client, [user for user, _ in users])
    assert_same(predictions, reference.predict([pages for _, pages in users]))


@needs_data
@pytest.mark.timeout(300)
def test_predicts_the_last_page_of_users_that_were_not_trained_on(predictor, tmp_path):
    pages = [pages for _, pages in reference.held_out_users(USERS)]
    histories = [of_user[:-1] for of_user in pages]
    lines = [" ".join(str(page + 1) for page in history) + " \r\n" for history in histories]
    client = predictor(write_sessions(tmp_path, HEADER + "".join(lines)))
    predictions = ask(client, list(range(1, USERS + 1)))
    assert_same(predictions, reference.predict(histories))
    answers = [reference.CATEGORIES[of_user[-1]] for of_user in pages]
    ranked = [sorted(p, key=p.get, reverse=True) for p in predictions]
    top_1 = sum(answer == order[0] for answer, order in zip(answers, ranked)) / USERS
    top_3 = sum(answer in order[:3] for answer, order in zip(answers, ranked)) / USERS
    print(f"top 1: {top_1:.4f}, top 3: {top_3:.4f}")
    assert top_1 >= 0.67 and top_3 >= 0.83
