"""`ringmaster plan`: how many workers and nodes a load needs."""

import json
import subprocess

import pytest
from client import DEADLINE_S
from metrics import by
from proc import wait_until
from processes import Process
from status_port import ON, status_of

REQUIREMENT = ["--rps", 1000, "--cpu-ms", 30, "--io-ms", 70, "--p99-ms", 200]
SECONDS = ["--seconds", 0.5]


@pytest.fixture
def plan(build):
    def run(*arguments):
        command = [str(word) for word in (build / "ringmaster", "plan", *arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=2 * DEADLINE_S)

    return run


@pytest.fixture
def planned(plan):
    """planned(ARGUMENT...) -> the object that --json prints."""
    def run(*arguments):
        done = plan(*arguments, "--json")
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="module")
def loaded(module_server, build):
    """The status port of a server under load."""
    running = module_server(listen=ON, workers={"count": 1})
    command = [build / "ringmaster", "bench", "--to", running.address, "--rate", 100,
               "--warm-up-s", 0, "--duration-s", 10 * DEADLINE_S, "echo", "[1]"]
    status = status_of(running)
    with Process.start(command) as load:
        wait_until(lambda: by(status, "requests_total", "method", "code")["echo", "0"] > 0,
                   "the load to begin")
        yield status
        load.kill()


def test_the_load_of_the_requirement(planned, plan):
    made = planned(*REQUIREMENT)
    assert made["busy_workers"] == 30
    assert made["promise"] == {"p99_ms": 200, "utilisation_max": 0.9, "workers_needed": 34,
                               "nodes_needed": 5}
    assert [(case["title"], case["nodes"]) for case in made["cases"]] == [
        ("one down", 4), ("needed", 5), ("one spare", 6)]
    enough = made["cases"][1]
    assert enough["workers_per_node"] == 8 and enough["formula"]["utilisation"] == 0.75
    assert 100 <= enough["formula"]["p50_ms"] <= enough["formula"]["p99_ms"] <= 200
    assert enough["each_node"]["upstream_connections"] == 26  # 14, and 3 * sqrt(14) more
    text = plan(*REQUIREMENT).stdout
    assert "In one node 34 workers would be enough." in text and "Allen-Cunneen" in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_given_fleet_is_judged_as_it_is(planned):
    made = planned("--rps", 100, "--cpu-ms", 30, "--workers", 2)
    assert made["promise"] is None and len(made["cases"]) == 1
    too_much = made["cases"][0]["formula"]
    assert too_much["p99_ms"] is None and too_much["refused"] == pytest.approx(1 / 3, abs=1e-4)
    cases = planned("--rps", 100, "--cpu-ms", 30, "--workers", 2, "--nodes", 3)["cases"]
    assert [case["nodes"] for case in cases] == [2, 3]
    assert cases[1]["formula"]["utilisation"] == 0.5


@pytest.mark.timeout(8 * DEADLINE_S)  # six simulations of a second each, on a quiet machine
def test_the_simulation_says_nearly_the_same(planned, plan, build):
    if build.name != "release":
        pytest.skip("with a sanitizer each million of simulated requests takes a minute")
    made = planned(*REQUIREMENT, "--simulate")
    for case in made["cases"][1:]:
        for member in ("utilisation", "p50_ms", "p99_ms"):
            assert case["simulated"][member] == pytest.approx(case["formula"][member], rel=0.1)
    options = ["--rps", 100, "--cpu-ms", 30, "--cpu-cv", 0.5, "--workers", 4, "--simulate"]
    first, again, other = (plan(*options, "--seed", seed) for seed in (1, 1, 2))
    assert first.stdout == again.stdout != other.stdout


def test_a_running_server_tells_its_load_and_what_if(loaded, planned):
    made = planned("--from", f"http://{loaded}", *SECONDS)
    assert [case["title"] for case in made["cases"]] == ["as it is"]
    changes = ["--load", "2x", "--workers", "+1", "--nodes", "+2"]
    now, then = planned("--from", loaded, *SECONDS, *changes)["cases"]
    assert now["nodes"] == now["workers_per_node"] == 1
    assert now["measured"]["wait_mean_ms"] >= 0 and "measured" not in then
    assert (then["nodes"], then["workers_per_node"]) == (3, 2)
    assert then["requests_per_s"] == pytest.approx(2 * now["requests_per_s"], rel=1e-4)
    assert then["formula"]["utilisation"] == pytest.approx(
        now["formula"]["utilisation"] / 3, rel=1e-4)


@pytest.fixture
def record(loaded, build, tmp_path):
    """record(ARGUMENT...): the file of a trace of the server under load."""
    def run(*arguments):
        file = tmp_path / "trace.json"
        subprocess.run([build / "ringmaster", "trace", "--to", loaded, "-o", file, *arguments],
                       check=True, stdout=subprocess.DEVNULL, timeout=DEADLINE_S)
        return file

    return run


def test_a_trace_tells_the_same_load_as_its_server(loaded, record, planned, plan):
    wait_until(lambda: by(loaded, "requests_total", "method", "code")["echo", "0"] >= 200,
               "a trace of some length")
    trace = record()
    (watched,) = planned("--from", loaded, *SECONDS)["cases"]
    now, then = planned("--from", trace, "--nodes", "+1")["cases"]
    assert (now["nodes"], now["workers_per_node"], then["nodes"]) == (1, 1, 2)
    assert 0.5 < now["requests_per_s"] / watched["requests_per_s"] < 2
    assert now.keys() == watched.keys() and 0 < now["measured"]["p50_ms"]
    text = plan("--from", trace).stdout
    assert "A trace has no refused requests" in text and "echo: " in text
    assert planned("--from", trace, "--at-once", 7)["at_once"] == 7


def test_a_file_that_is_no_trace_of_recent_requests(loaded, record, plan, tmp_path):
    (tmp_path / "other.json").write_text("{")
    missing = ("cannot read: No such file or directory: expected the file of `ringmaster trace`, "
               "or the status port")
    for file, says in [(record("--kept"), "record it without --kept"),
                       (tmp_path / "other.json", "expected the file of `ringmaster trace`: "),
                       (tmp_path / "none.json", missing)]:
        done = plan("--from", file)
        assert (done.returncode, done.stdout) == (64, "")
        assert f"plan: --from: {file}: " in done.stderr and says in done.stderr
    done = plan("--from", record(), "--from", loaded)
    assert done.returncode == 64 and "expected either servers or traces, found both" in done.stderr


def test_servers_of_a_fleet_add_up_and_the_last_cannot_be_taken_away(loaded, planned, plan):
    made = planned("--from", loaded, "--from", loaded, *SECONDS, "--nodes", -1)
    now, then = made["cases"]
    assert (now["nodes"], then["nodes"]) == (2, 1)
    assert now["requests_per_s"] == then["requests_per_s"]
    assert then["formula"]["utilisation"] == pytest.approx(
        2 * now["formula"]["utilisation"], rel=1e-4)
    done = plan("--from", loaded, *SECONDS, "--nodes", -1)
    assert done.returncode == 64
    assert "plan: --nodes -1: there are 1: expected to leave at least one" in done.stderr


def test_a_server_that_cannot_be_watched(server, plan, tmp_path):
    done = plan("--from", f"unix:{tmp_path}/none")
    assert done.returncode == 71 and f"{tmp_path}/none" in done.stderr
    done = plan("--from", status_of(server(listen=ON)), *SECONDS)
    assert done.returncode == 71 and "answered with a result meanwhile, found none" in done.stderr


@pytest.mark.parametrize("options, message", [
    ([], "expected --rps above 0, or --from, found none"),
    (["--rps", 10], "expected --cpu-ms above 0, or --from, found none"),
    (["--rps", 10, "--cpu-ms", 30], "expected --p99-ms, to find out how many nodes"),
    (["--rps", -1, "--cpu-ms", 30], "--rps: Value -1 not in range"),
    ([*REQUIREMENT[:-1], 90], "--p99-ms: expected more than 100 ms"),
    ([*REQUIREMENT, "--load", "2x"], "--load changes what a running server has: expected --from"),
    ([*REQUIREMENT, "--workers", "+1"], "--workers changes what a running server has"),
    ([*REQUIREMENT, "--workers", "two"], "--workers: expected 1 to 512, or a change such as"),
    ([*REQUIREMENT, "--nodes", "0"], "--nodes: expected 1 to 1000000"),
    (["--from", "x:1", "--rps", 10], "expected either --rps or --from, which measures it"),
    (["--from", "x:1", "--load", "2y"], "--load: expected a factor up to 1000x, such as 2x"),
    (["--from", "http://x"], "--from: "),
    (["--simulat"], "unknown option --simulat; did you mean --simulate?"),
])
def test_contradicting_options_are_refused(plan, options, message):
    done = plan(*options)
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr.startswith("ringmaster: ") and message in done.stderr
    assert "ringmaster help SUBCOMMAND lists its options" in done.stderr
