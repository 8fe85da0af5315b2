"""Three machines behind HAProxy: what happens to one of them costs its own requests only."""

import time
from collections import Counter
from contextlib import contextmanager

import pytest
from fleet import Fleet
from proc import stopped, wait_until

pytestmark = [pytest.mark.needs("haproxy", "root", "networks"), pytest.mark.alone,
              pytest.mark.timeout(180)]

RATE = 30
# Shorter than in conf/haproxy.cfg, so that the test is.
QUICK = {" check inter 1s": " check inter 250ms", "agent-inter 1s": "agent-inter 250ms",
         "srvtcpka-idle 5s": "srvtcpka-idle 1s", "srvtcpka-cnt 5": "srvtcpka-cnt 2"}


@pytest.fixture
def fleet(build, tmp_path):
    """fleet(nodes=...): a Fleet that runs, with a load and its outcomes."""
    def make(**options):
        return Fleet(build, tmp_path, intervals=QUICK, notice_ms=3000, **options)

    return make


def assert_each_was_answered_once(fleet, load, fail=()):
    """Of the load that has ended: each request has one answer, with its own number. Those that have
    an error were not executed, or were with one of the nodes that fail. None was executed twice."""
    outcomes = load.end()
    failed = [one for one in outcomes if not one.is_result() and not one.is_refusal()]
    assert all(one.status in (502, 504) for one in failed), failed
    assert {one.node for one in failed} == set(fail), failed
    answered = [one for one in outcomes if one.answer]
    assert all(one.answer["id"] == one.number for one in answered)
    results = [one for one in answered if one.is_result()]
    assert all(one.answer["result"][0] == one.number for one in results)
    executed = Counter(int(line) for line in fleet.runs.read_text().split())
    assert set(executed.values()) == {1}
    assert executed.keys() >= {one.number for one in results}
    assert not executed.keys() & {one.number for one in outcomes if one.is_refusal()}
    return results


@contextmanager
def holding_a_request(fleet, name: str):
    """The node does nothing, and a request is in its hands."""
    with stopped(*fleet.servers[name].processes()):
        wait_until(lambda: fleet.balancer.servers("http")[name]["scur"] != "0", "a request")
        yield


def is_asked(load, name: str, since: float) -> bool:
    return any(one.node == name for one in load.since(since))


def test_a_node_that_fails_costs_its_own_requests_only(fleet, record_property):
    seconds = {}
    made = fleet(nodes=("node1", "node2"), logs_on_disk="node3")
    with made as running, running.load(RATE) as load:
        load.wait_until_back(time.monotonic())

        def note(what, begin):
            seconds[what] = load.wait_until_back(begin)

        note("a node was added", begin := running.add("node3"))
        wait_until(lambda: is_asked(load, "node3", begin), "requests for the new node")
        note("drained", running.drain("node1"))
        wait_until(lambda: running.balancer.servers("http")["node1"]["scur"] == "0", "its end")
        drained = time.monotonic()
        note("drained and idle", drained)
        assert not is_asked(load, "node1", drained)
        running.take_back("node1")
        with running.slowed("node2") as begin:
            note("slowed to half", begin)
        with running.filled("node3") as begin:
            note("its disk filled", begin)
            size = (running.disk("node3") / "log").stat().st_size
        wait_until(lambda: (running.disk("node3") / "log").stat().st_size > size, "log lines")
        calm_until = time.monotonic()
        with holding_a_request(running, "node1"):
            begin = running.kill("node1")
        note("killed", begin)
        running.start("node1")
        with holding_a_request(running, "node2"):
            begin = running.cut_off("node2")
        note("cut off", begin)
        wait_until(lambda: any(one.node == "node2" and one.status in (502, 504)
                               for one in load.outcomes), "the end of its request")
        running.connect("node2")
        wait_until(lambda: is_asked(load, "node2", time.monotonic() - 1), "node2 to be asked")
        assert_each_was_answered_once(running, load, fail=("node1", "node2"))
    assert all(one.is_result() for one in load.outcomes if one.at + one.took_s < calm_until)
    for what, took_s in seconds.items():
        record_property(what, f"{took_s:.2f} s")
        print(f"{what}: the goodput was back after {took_s:.2f} s")


def test_nodes_are_upgraded_one_after_the_other_without_a_failed_request(fleet):
    with fleet() as running, running.load(RATE) as load:
        for name in running.servers:
            running.stop(name)
            running.start(name, version=2)
        upgraded = time.monotonic()
        load.wait_until_back(upgraded)
        results = assert_each_was_answered_once(running, load)
    assert not [one for one in load.outcomes if one.is_refusal()]
    versions = {one.answer["result"][1] for one in results if one.at >= upgraded}
    assert versions == {2}
