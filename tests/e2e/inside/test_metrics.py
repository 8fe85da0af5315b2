"""/metrics: its counts are exact, its format is Prometheus', and docs/metrics.md, the alert rules
and the dashboard use its names rightly."""

import json
import os
import re
import signal
import subprocess
from collections import Counter

import pytest
from client import request
from metrics import by, families, metrics
from proc import wait_until
from status_port import ON, ask, status_of

IN_DOCUMENT = re.compile(r"^\| `(ringmaster_\w+)` \| (\w+) \|([^|]*)\|", re.MULTILINE)
IN_EXPRESSION = re.compile(r"ringmaster_\w+")
OF_A_HISTOGRAM = ("_bucket", "_count", "_sum")


def promtool(*arguments, given: str = ""):
    done = subprocess.run(["promtool", *map(str, arguments)], input=given, capture_output=True,
                          text=True)
    assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def busy(server, probe, feature_service, gate):
    """The status address of a server that has had requests of all kinds. All have ended."""
    features = feature_service()
    user = {"fetch": "users", "body": {"user_id": "${params.user_id}"}}
    running = server(
        listen=ON,
        upstreams={"users": {"url": features.url, "idempotent": True, "coalesce": True},
                   "gone": {"url": "http://127.0.0.1:1/"}},
        handlers={"echo": {}, "hold": probe("hold")},
        methods={
            "both": {"steps": [user, {"run": "echo"}]},
            "gone": {"steps": [user | {"fetch": "gone"}, {"run": "echo"}]},
            "hold": {"attempts": 1, "timeout_ms": 60_000},
        },
    )  # fmt: skip
    held = gate()
    with running.connect() as client:
        for _ in range(3):  # so that the server can predict later ones
            client.call("both", {"user_id": 1})
        client.send(request("gone", {"user_id": 1}))
        assert client.answer()["error"]["code"] == -32015
        client.send(request("nothing"))
        client.answer()
        os.kill(held.hold(client, 1)[0], signal.SIGKILL)
        assert client.answer()["error"]["code"] == -32014
        client.send(held.request(2, _meta={"timeout_ms": 10}))
        assert client.answer()["error"]["code"] == -32012
        held.open()
    wait_until(lambda: by(status_of(running), "workers", "state")["idle"] == 2, "idle workers")
    return status_of(running)


@pytest.mark.needs("promtool")
def test_promtool_finds_no_fault(busy):
    promtool("check", "metrics", given=ask(busy, "/metrics")[1])


def test_the_document_lists_each_metric_with_its_kind_and_labels(root, busy):
    listed = {name: (kind, frozenset(re.findall(r"\w+", labels)))
              for name, kind, labels in IN_DOCUMENT.findall((root / "docs/metrics.md").read_text())}
    kinds = families(busy)
    assert {name: kind for name, (kind, _) in listed.items()} == kinds
    seen = set()
    for name, labels in metrics(busy):
        if kinds.get(name) is None:
            name = re.sub("_(bucket|count|sum)$", "", name)
        assert frozenset(label for label, _ in labels if label != "le") == listed[name][1], name
        seen.add(name)
    not_compared = set(kinds) - seen
    assert not_compared <= {"ringmaster_requests_abandoned_total"}, not_compared


@pytest.mark.needs("promtool")
def test_the_alert_rules_do_what_they_say(root):
    folder = root / "conf/prometheus"
    assert "11 rules found" in promtool("check", "rules", folder / "alerts.yml")
    assert "SUCCESS" in promtool("test", "rules", folder / "alerts_test.yml")


def test_alerts_and_dashboard_use_metrics_that_exist(root, busy):
    kinds = families(busy)
    names = set(kinds) | {name + ending for name, kind in kinds.items() if kind == "histogram"
                          for ending in OF_A_HISTOGRAM}
    rules = (root / "conf/prometheus/alerts.yml").read_text()
    dashboard = json.loads((root / "conf/grafana/ringmaster.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"]
                   for target in panel.get("targets", [])]
    asked = [one["query"]["query"] for one in dashboard["templating"]["list"]
             if isinstance(one["query"], dict)]
    assert len(expressions) > 20 and len(asked) == 2
    for text in [rules, *expressions, *asked]:
        used = IN_EXPRESSION.findall(text)
        assert used and set(used) <= names, text
    documented = (root / "docs/metrics.md").read_text()
    for alert in re.findall(r"alert: (\w+)", rules):
        assert f"| `{alert}` |" in documented
        assert f"alertname: {alert}" in (root / "conf/prometheus/alerts_test.yml").read_text()


def counted(address: str, *metric: str) -> dict:
    """by(), without the counts that are 0."""
    return {labels: count for labels, count in by(address, *metric).items() if count != 0}


def test_counts_for_alert_rules_are_there_before_their_first_event(server, feature_service):
    running = server(
        listen=ON,
        upstreams={"users": {"url": feature_service().url}},
        methods={"both": {"steps": [{"fetch": "users"}, {"run": "echo"}]}},
    )
    address = status_of(running)
    assert by(address, "requests_total", "method", "code")["both", "0"] == 0
    errors = by(address, "request_errors_total", "method", "code", "reason")
    assert {errors["both", "-32009", reason] for reason in ("overloaded", "fair_share")} == {0}
    misses = by(address, "deadline_misses_total", "method", "stage")
    assert {misses["both", stage] for stage in ("fetch", "queue", "run")} == {0}
    failures = by(address, "fetch_failures_total", "method", "upstream", "reason")
    assert failures["both", "users", "timeout"] == 0
    ends = by(address, "worker_ends_total", "reason")
    assert {ends[reason] for reason in ("SIGSEGV", "oom", "exit 1", "deadline")} == {0}


def test_a_worker_that_is_told_to_leave_and_one_that_ends_itself_end_for_different_reasons(
    server, probe
):
    running = server(listen=ON, workers={"count": 2}, may_crash=True,
                     handlers={"exits": probe("exits")}, methods={"exits": {"attempts": 1}})
    address = status_of(running)
    assert running.error_of("exits").code == -32014
    wait_until(lambda: by(address, "workers", "state")["idle"] == 2, "another worker")
    running.send(signal.SIGTTOU)
    wait_until(lambda: counted(address, "worker_ends_total", "reason") ==
               {"exit 0": 1, "unwanted": 1}, "both to have ended")


class Load:
    """Sends requests, and counts their answers by method and code."""

    def __init__(self, running):
        self.client = running.connect()
        self.sent: dict[int, str] = {}
        self.got: Counter = Counter()

    def send(self, method: str, params, count: int = 1) -> list[int]:
        ids = [len(self.sent) + i for i in range(count)]
        self.sent |= dict.fromkeys(ids, method)
        self.client.send(b"".join(request(method, params, id) for id in ids))
        return ids

    def receive(self, count: int):
        for line in self.client.read_many(count):
            answer = json.loads(line)
            code = answer["error"]["code"] if "error" in answer else 0
            self.got[self.sent[answer["id"]], str(code)] += 1


def test_counts_agree_with_the_clients_after_kills_a_reload_and_cancels(server, probe, gate):
    sections = {
        "handlers": {name: probe("hold") for name in ("hold", "slow", "late")} | {"echo": {}},
        "methods": {name: {"attempts": 1} for name in ("hold", "slow", "late")},
        "listen": ON,
    }
    running = server(**sections)
    address = status_of(running)
    load = Load(running)
    for count in (1, 299):
        load.send("echo", [1], count)
        load.receive(count)
    for i in range(3):  # each time, a worker is killed with one job
        held = gate(f"killed{i}")
        load.send("hold", held.params())
        os.kill(held.wait_for_runs(1)[0], signal.SIGKILL)
        load.receive(1)
    cancelled = gate("cancelled")
    for id in load.send("slow", cancelled.params(), 2):
        load.client.send(request("$/cancelRequest", {"id": id}, None))
    load.receive(2)
    kept = gate("kept")
    load.send("slow", kept.params())
    cancelled.open()
    kept.wait_for_runs(1)
    assert running.reload(**sections).startswith("event=reloaded")
    load.send("echo", [2], 200)
    load.receive(200)
    load.send("late", {**kept.params(), "_meta": {"timeout_ms": 1}})  # a worker is free
    load.receive(1)
    kept.open()
    load.receive(1)
    running.assert_one_generation()
    leaving = running.connect()
    gone = gate("gone")
    gone.hold(leaving, 1)
    leaving.reset()
    wait_until(lambda: counted(address, "requests_abandoned_total", "method") == {"hold": 1},
               "the server to find that the client has left")
    gone.open()

    assert load.got == {("echo", "0"): 500, ("hold", "-32014"): 3, ("slow", "-32800"): 2,
                        ("slow", "0"): 1, ("late", "-32012"): 1}  # fmt: skip
    assert counted(address, "worker_ends_total", "reason") == {"SIGKILL": 3}
    assert counted(address, "attempts_lost_total", "method") == {"hold": 3}
    notifications = {("$/cancelRequest", "0"): 2}
    assert counted(address, "requests_total", "method", "code") == load.got | notifications
    errors = by(address, "request_errors_total", "method", "code", "reason")
    assert sum(errors.values()) == 6
    assert by(address, "request_duration_seconds_count", "method") == {
        "echo": 500, "hold": 0, "slow": 1, "late": 0}
    predicted = by(address, "admission_error_seconds_count", "method", "side")
    # Before the first one ran, there was nothing to predict from.
    assert predicted["echo", "early"] + predicted["echo", "late"] == 499
    assert predicted["late", "early"] + predicted["late", "late"] == 0
