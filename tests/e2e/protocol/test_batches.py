"""A handler with a `batch` gets waiting jobs together. A worker's death interrupts only
the jobs of its batch."""

import pytest
from client import request
from server import HANDLERS, compile_handler


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("handlers")
    return compile_handler(folder / "batches.so", HANDLERS / "batches.c")


@pytest.fixture
def batching(server, probe, gate, library, throws):
    """batching(requests, ...): the answers to requests that have waited for the only worker."""

    def run(requests: list[bytes], batch: int = 8, attempts: int = 2, **sections) -> dict:
        running = server(
            workers={"count": 1},
            handlers={
                "hold": probe("hold"),
                "echo": {"batch": batch},
                "batches": {"library": library, "batch": batch},
                "throws": {"library": throws, "batch": batch},
            },
            methods={"batches": {"attempts": attempts}},
            **sections,
        )
        held = gate()
        with running.connect() as client:
            held.hold(client, "hold")
            client.send(b"".join(requests) + request("none", id="all are in"))
            assert client.answer()["id"] == "all are in"
            held.open()
            answers = client.answers(len(requests) + 1)
        assert "result" in answers.pop("hold")
        return answers

    return run


def batches(id, do="") -> bytes:
    return request("batches", {"do": do}, id)


def results(answers: dict) -> list:
    return [answers[id].get("result") for id in sorted(answers)]


def test_waiting_jobs_are_run_together_up_to_the_batch(batching):
    answers = batching([batches(id) for id in range(8)] + [batches(8)], batch=8)
    assert results(answers) == [8] * 8 + [1]


def test_a_batch_leaves_the_other_workers_their_share(server, probe, gate, library):
    running = server(
        handlers={"hold": probe("hold"), "batches": {"library": library, "batch": 8}}
    )
    held = gate()
    with running.connect() as client:
        client.send(held.request("first") + held.request("second"))
        held.wait_for_runs(2)  # both workers
        client.send(b"".join(batches(id) for id in range(8)) + request("none", id="all are in"))
        assert client.answer()["id"] == "all are in"
        held.open()
        answers = client.answers(10)
    # The first worker to look takes one of the eight that wait, and half of the others.
    assert max(answers[id]["result"] for id in range(8)) <= 4


def test_without_a_batch_each_job_is_run_alone(batching):
    assert results(batching([batches(id) for id in range(4)], batch=1)) == [1] * 4


def test_a_batch_is_of_one_handler(batching):
    requests = [batches(0), batches(1), request("echo", [2], 2), batches(3), batches(4)]
    assert results(batching(requests)) == [4, 4, [2], 4, 4]


def test_a_job_that_must_not_run_twice_is_run_alone(batching):
    assert results(batching([batches(id) for id in range(4)], attempts=1)) == [1] * 4


def test_a_death_costs_the_job_that_caused_it_and_the_others_are_run_alone(batching):
    answers = batching([batches(0), batches(1, "die"), batches(2), batches(3)], may_crash=True)
    assert answers.pop(1)["error"]["code"] == -32014
    assert results(answers) == [1, 1, 1]


def test_each_job_of_a_batch_has_its_own_answer(batching):
    answers = batching([batches(0), batches(1, "fail"), batches(2)])
    assert answers.pop(1)["error"] == {
        "code": 7,
        "message": "as asked",
        "data": {"reason": "handler_failed", "retryable": False, "executed": "unknown"},
    }
    assert results(answers) == [3, 3]


def test_an_exception_is_the_answer_to_each_job_of_a_batch(batching):
    answers = batching([request("throws", id=id) for id in range(3)])
    assert [answers[id]["error"]["message"] for id in range(3)] == [
        "expected nobody to throw this"] * 3


def test_each_job_that_a_batch_leaves_unanswered_is_answered(batching):
    answers = batching([batches(0), batches(1, "leave"), batches(2)])
    for id in range(3):
        assert answers[id]["error"]["data"]["reason"] == "invalid_result"
        assert "gave no answer" in answers[id]["error"]["message"]


def test_room_reserved_for_another_job_cannot_be_committed(batching):
    answers = batching([batches(0), batches(1, "steal"), batches(2)])
    assert answers[1]["error"]["data"]["reason"] == "invalid_result"
    assert "had not reserved" in answers.pop(1)["error"]["message"]
    assert results(answers) == [3, 3]


def test_an_answer_to_a_job_that_was_not_given_changes_nothing(batching):
    assert results(batching([batches(0), batches(1, "stray"), batches(2)])) == [3, 3, 3]
