"""Honest: a client that calls repeatedly during an attack by others.

    with honest(running):
        ...  # the attack, which the server must survive

Fails if one of its answers is late or wrong, or if a new client is not served afterwards.
"""

import threading
from contextlib import contextmanager


@contextmanager
def honest(running):
    is_over, failures = threading.Event(), []

    def call_until_over(client):
        try:
            number = 0
            while not is_over.is_set():
                number += 1
                assert client.call("echo", ["honest", number]) == ["honest", number]
        except BaseException as failure:  # the test's own thread reports it
            failures.append(failure)

    with running.connect() as client:
        assert client.call("echo", ["before"]) == ["before"]
        thread = threading.Thread(target=call_until_over, args=(client,))
        thread.start()
        try:
            yield client
        finally:
            is_over.set()
            thread.join()
        assert not failures, failures
        assert client.call("echo", ["still"]) == ["still"]
    assert running.call("echo", ["after"]) == ["after"]
