"""The requests of fetch steps: what they are made of, and which steps begin together."""

import json
import re
import ssl

import pytest
from certificates import make_certificate
from collector import Collector
from scripted_upstream import ScriptedUpstream


@pytest.fixture
def asking(server, python):
    """asking(steps, **upstreams): a server whose method `m` has these steps. The handler `all`
    returns what it gets of the steps `a`, `b` and `c`."""

    def start(steps, upstreams, secrets=None, **method):
        code = "def run(a=None, b=None, c=None):\n    return [a, b, c]\n"
        return server(handlers={"all": python(code)}, upstreams=upstreams, secrets=secrets or {},
                      methods={"m": {"steps": steps} | method})

    return start


@pytest.fixture
def upstream():
    with Collector(by_path={"/v1/a": json.dumps({"id": 7, "items": [{"n": "x/y"}, {"n": 2.50}]}),
                            "/v1/b": "[1]"}) as started:
        yield started


def test_a_get_with_path_query_and_headers(asking, upstream, tmp_path):
    token = tmp_path / "token"
    token.write_text("s3cret-of-profiles\n")
    token.chmod(0o600)
    step = {"fetch": "a", "path": "/users/${params.id}/profile",
            "query": {"fields": "${params.fields:all}", "n": 2, "q": "a b"},
            "headers": {"X-Who": "${client.name} ${request.id}", "Accept": "text/csv"}}
    running = asking([step], {"a": {"url": upstream.url + "/v1/", "headers": {
        "Authorization": "Bearer ${secret.profiles}"}}}, {"profiles": {"file": token}})
    assert running.call("m", {"id": "a/../b"}) == {}
    (got,) = upstream.received
    assert (got.method, got.body) == ("GET", b"")
    assert got.path == "/v1/users/a%2F..%2Fb/profile?fields=all&n=2&q=a%20b"
    assert got.headers["authorization"] == "Bearer s3cret-of-profiles"
    assert got.headers["accept"] == "text/csv" and "content-type" not in got.headers
    assert re.fullmatch(r"127\.0\.0\.1 \d+", got.headers["x-who"])
    assert re.fullmatch(r"\d+", got.headers["x-request-id"])
    assert 0 < int(got.headers["x-request-timeout-ms"]) <= 1000
    # The next fetch of this libcurl handle has another target.
    running.call("m", {"id": 1, "fields": "x&y"})
    assert upstream.received[1].path == "/v1/users/1/profile?fields=x%26y&n=2&q=a%20b"


@pytest.mark.parametrize("url, path", [("/search/", "/search/?q=x"), ("/search", "/search?q=x"),
                                       ("", "/?q=x"), ("/", "/?q=x")])
def test_a_query_without_a_path_follows_the_url_as_it_is(asking, upstream, url, path):
    running = asking([{"fetch": "a", "query": {"q": "${params.q}"}}],
                     {"a": {"url": upstream.url + url}})
    running.call("m", {"q": "x"})
    assert [one.path for one in upstream.received] == [path]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST"])
def test_other_methods_with_and_without_a_body(asking, upstream, method):
    steps = [{"fetch": "a", "as": "b", "method": method, "body": {"a": "${params.x}"}},
             {"fetch": "a", "as": "c", "method": method}, {"fetch": "a"}]
    running = asking(steps, {"a": {"url": upstream.url}})
    running.call("m", {"x": None})
    assert [(one.method, one.body) for one in upstream.received] == [
        (method, b'{"a":null}'), (method, b""), ("GET", b"")]


def test_a_step_uses_what_an_earlier_one_has_fetched(asking, upstream):
    steps = [{"fetch": "a", "path": "/a"},
             {"fetch": "a", "as": "b", "path": "/${a.items.0.n}",
              "body": {"id": "${a.id}", "text": "n=${a.items.1.n}", "all": "${a}"}},
             {"run": "all"}]
    running = asking(steps, {"a": {"url": upstream.url + "/v1"}})
    a = {"id": 7, "items": [{"n": "x/y"}, {"n": 2.5}]}
    assert running.call("m") == [a, {}, None]
    assert upstream.received[1].path == "/v1/x%2Fy"
    assert json.loads(upstream.received[1].body) == {"id": 7, "text": "n=2.5", "all": a}
    assert b'"text":"n=2.5"' in upstream.received[1].body


def test_a_whole_output_is_taken_without_the_blanks_around_it(asking):
    with Collector((200, " 5\n")) as upstream:
        steps = [{"fetch": "a"}, {"fetch": "a", "as": "b", "path": "/${a}", "query": {"n": "${a}"}}]
        asking(steps, {"a": {"url": upstream.url}}).call("m")
        assert upstream.received[1].path == "/5?n=5"


def test_secrets_of_the_environment_are_not_inherited(server, upstream, python, monkeypatch):
    monkeypatch.setenv("TEST_SECRET", "from-the-environment")
    code = "import os\ndef run():\n    return os.environ.get('TEST_SECRET')\n"
    fetch = {"fetch": "a", "headers": {"X-Key": "${secret.key}"}}
    running = server(handlers={"all": python(code)}, upstreams={"a": {"url": upstream.url}},
                     secrets={"key": {"env": "TEST_SECRET"}},
                     methods={"m": {"steps": [fetch, {"run": "all"}]}})
    assert running.call("m") is None
    running.reload_file()
    assert running.call("m") is None
    assert [one.headers["x-key"] for one in upstream.received] == ["from-the-environment"] * 2


def test_a_handler_in_the_middle_feeds_a_fetch(asking, upstream):
    steps = [{"run": "all", "as": "first"}, {"fetch": "a", "body": {"x": "${first.1}"}}]
    running = asking(steps, {"a": {"url": upstream.url}})
    assert running.call("m", {"b": [5]}) == {}
    assert upstream.received[0].body == b'{"x":[5]}'


def test_parallel_fetches_are_under_way_together(asking):
    parallel = {"parallel": [{"fetch": "a", "path": "/a"}, {"fetch": "b", "path": "/b"}]}
    then = {"fetch": "a", "as": "c", "path": "/c", "query": {"a": "${a.n}", "b": "${b.n}"}}
    with Collector(by_path={"/a": '{"n": 1}', "/b": '{"n": 2}', "/c": "3"}, gate=2) as upstream:
        running = asking([parallel, then, {"run": "all"}],
                         {name: {"url": upstream.url} for name in "ab"})
        assert running.call("m") == [{"n": 1}, {"n": 2}, 3]
        assert upstream.received[2].path == "/c?a=1&b=2"


def test_a_failure_ends_the_other_fetches_of_its_step(asking):
    parallel = {"parallel": [{"fetch": "hangs"}, {"fetch": "fails"}]}
    with ScriptedUpstream(lambda *_: None) as hangs, Collector((503, "{}")) as fails:
        running = asking([parallel, {"run": "all"}],
                         {"hangs": {"url": hangs.url}, "fails": {"url": fails.url}},
                         timeout_ms=60_000)
        failed = running.error_of("m")
        assert (failed.code, failed.data["reason"]) == (-32015, "http_503")
        assert "fails" in failed.message
        assert hangs.ended.wait(10)


def test_an_optional_step_that_fails_gives_null(asking):
    parallel = {"parallel": [{"fetch": "a", "optional": True}, {"fetch": "b"}]}
    lacks = {"fetch": "b", "as": "c", "optional": True, "body": {"x": "${a.x}"}}
    with Collector((500, "{}")) as a, Collector((200, "[2]")) as b:
        running = asking([parallel, lacks, {"run": "all"}],
                         {"a": {"url": a.url}, "b": {"url": b.url}})
        assert running.call("m") == [None, [2], None]
        assert len(b.received) == 1  # c has no value for its body


def test_a_step_has_a_timeout_of_its_own(asking):
    hanging = {"fetch": "a", "optional": True, "timeout_ms": 50}
    with ScriptedUpstream(lambda *_: None) as hangs:
        running = asking([hanging, {"run": "all"}], {"a": {"url": hangs.url, "timeout_ms": 60_000}})
        assert running.call("m") == [None, None, None]


def test_a_clients_own_deadline_is_no_fault_of_the_upstream(asking):
    with ScriptedUpstream(lambda *_: None) as hangs:
        running = asking([{"fetch": "a"}], {"a": {"url": hangs.url, "timeout_ms": 60_000}})
        for _ in range(5):
            assert running.error_of("m", {"_meta": {"timeout_ms": 50}}).code == -32012


@pytest.mark.parametrize("params, reason, says", [
    ({}, "missing_parameter", "expected the parameter id, found none"),
    ({"id": ""}, "invalid_parameter", 'parameter id: expected a part of a path, found ""'),
    ({"id": ".."}, "invalid_parameter", 'parameter id: expected a part of a path, found ".."'),
    ({"id": [1]}, "invalid_parameter",
     "parameter id: expected a string, a number or a boolean, found an array"),
    ({"id": 1, "h": "a\r\nb: c"}, "invalid_parameter",
     "parameter h: expected a header's value, found a control character in it"),
])  # fmt: skip
def test_a_wrong_parameter_is_named_and_nothing_is_sent(asking, upstream, params, reason, says):
    step = {"parallel": [{"fetch": "a"},
                         {"fetch": "a", "as": "b", "path": "/x/${params.id}",
                          "headers": {"X-H": "${params.h:none}"}}]}
    running = asking([step, {"run": "all"}], {"a": {"url": upstream.url}})
    failed = running.error_of("m", params)
    assert (failed.code, failed.data["reason"], failed.message) == (-32602, reason, says)
    assert failed.data["executed"] is False and failed.data["retryable"] is False
    assert running.call("m", {"id": 1}) == [{}, {}, None]
    assert len(upstream.received) == 2


@pytest.mark.parametrize("source, code, reason", [
    ("params.long", -32602, "invalid_parameter"), ("a", -32015, "invalid_member"),
])  # fmt: skip
def test_a_request_that_is_too_long_as_a_whole_blames_no_value(asking, source, code, reason):
    long = "/" * 12_000  # three bytes each in a query
    with Collector((200, json.dumps(long))) as upstream:
        query = {"x": f"${{{source}}}", "y": f"${{{source}}}"}
        running = asking([{"fetch": "a"}, {"fetch": "a", "as": "b", "query": query}],
                         {"a": {"url": upstream.url}})
        failed = running.error_of("m", {"long": long})
        assert (failed.code, failed.data["reason"], failed.message) == (
            code, reason, "the request of step b: expected at most 65536 bytes of path, query and "
            "headers, found 72006")
        assert len(upstream.received) == 1


def test_a_whole_output_that_is_no_text_is_named(asking):
    with Collector((200, "{}")) as upstream:
        running = asking([{"fetch": "a"}, {"fetch": "a", "as": "b", "path": "/${a}"}],
                         {"a": {"url": upstream.url}})
        failed = running.error_of("m")
        assert failed.message.startswith("step a: its output: expected a string"), failed.message


@pytest.mark.parametrize("body, reason, says", [
    ("{}", "missing_member", "step a: expected b.0 in its output, found none"),
    ("nonsense", "invalid_body", "step a: expected JSON"),
    ('{"b": [{}]}', "invalid_member", "step a: b.0: expected a string"),
])  # fmt: skip
def test_an_output_that_lacks_what_is_needed_is_an_upstream_failure(asking, body, reason, says):
    with Collector((200, body)) as upstream:
        running = asking([{"fetch": "a"}, {"fetch": "a", "as": "b", "path": "/${a.b.0}"}],
                         {"a": {"url": upstream.url}})
        failed = running.error_of("m")
        assert (failed.code, failed.data["reason"]) == (-32015, reason)
        assert failed.message.startswith(says), failed.message


def test_an_upstream_at_a_unix_socket(asking, tmp_path):
    path = tmp_path / "upstream.sock"
    with Collector(by_path={"/a": "1"}, unix=path) as upstream:
        steps = [{"fetch": "a", "path": "/a"}, {"run": "all"}]
        running = asking(steps, {"a": {"url": upstream.url}})
        assert [running.call("m") for _ in range(3)] == [[1, None, None]] * 3
        assert upstream.received[0].headers["host"] == "localhost"


def test_an_upstream_that_asks_for_a_certificate(asking, tmp_path):
    ca = make_certificate(tmp_path, "ca")
    its, ours = (make_certificate(tmp_path, name, ca) for name in ("its", "ours"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(ca.file))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(its.file, its.key)
    with Collector(by_path={"/": "1"}, tls=context) as upstream:
        keys = {"url": upstream.url, "tls_ca_file": ca.file}
        own = {"tls_certificate_file": ours.file, "tls_key_file": ours.key}
        steps = [{"parallel": [{"fetch": "a", "optional": True}, {"fetch": "b", "optional": True},
                               {"fetch": "c"}]}, {"run": "all"}]
        ours.key.chmod(0o600)
        running = asking(steps, {"a": {"url": upstream.url}, "b": keys, "c": keys | own})
        assert running.call("m") == [None, None, 1]  # no trust, no certificate, both


@pytest.mark.parametrize("where", ["tcp", "unix"])
def test_a_redirect_within_the_origin_is_followed(asking, tmp_path, where):
    redirects = {"/a": (301, "/b?x=1"), "/b": (308, "c"), "/c": (302, "./d")}
    with Collector(by_path={"/d": "[4]"}, redirects=redirects,
                   unix=tmp_path / "upstream.sock" if where == "unix" else None) as upstream:
        step = {"fetch": "a", "path": "/a", "headers": {"Authorization": "Bearer x"}}
        running = asking([step], {"a": {"url": upstream.url, "redirects": "same-origin"}})
        for _ in range(2):
            assert running.call("m") == [4]
        assert [one.path for one in upstream.received] == ["/a", "/b?x=1", "/c", "/d"] * 2
        assert {one.headers["authorization"] for one in upstream.received} == {"Bearer x"}


def test_what_a_redirect_keeps_of_a_request(asking):
    with Collector(redirects={"/307": (307, "/end"), "/303": (303, "/end")}) as upstream:
        steps = [{"fetch": "a", "as": method + status, "path": f"/{status}", "method": method,
                  "body": {"x": 1}} for status in ("307", "303") for method in ("POST", "PUT")]
        running = asking(steps, {"a": {"url": upstream.url, "redirects": "same-origin"}})
        running.call("m")
        kept = [(one.method, one.body, one.headers.get("content-type"))
                for one in upstream.received if one.path == "/end"]
        whole = (b'{"x":1}', "application/json")
        assert kept == [("POST", *whole), ("PUT", *whole)] + [("GET", b"", None)] * 2


def test_a_redirect_that_is_not_followed_says_why(server):
    with Collector() as other, Collector() as upstream:
        upstream.redirects = {"/here": (307, "/"), "/away": (302, other.url + "/x"),
                              "/tls": (301, upstream.url.replace("http", "https")),
                              "/post": (301, "/"), "/loop": (302, "/loop")}
        cases = {
            "off": ({"path": "/here"}, 307,
                    ', a redirect within its origin; redirects = "same-origin" follows it'),
            "off and away": ({"path": "/away"}, 302, f", a redirect to another origin, {other.url};"
                             " set url to where the service is"),
            "away": ({"path": "/away"}, 302, f", a redirect to another origin, {other.url};"
                     " set url to where the service is"),
            "tls": ({"path": "/tls"}, 301, ", a redirect to another origin, "
                    + upstream.url.replace("http", "https")
                    + "; set url to where the service is"),
            "post": ({"path": "/post", "method": "POST"}, 301,
                     ", a redirect that loses the body of a POST (307 and 308 keep it)"),
            "loop": ({"path": "/loop"}, 302, " after 5 redirects, the most that are followed"),
        }
        follows = {"url": upstream.url, "redirects": "same-origin"}
        running = server(upstreams={"off": {"url": upstream.url}, "on": follows}, methods={
            name: {"steps": [{"fetch": "off" if name.startswith("off") else "on"} | step]}
            for name, (step, _, _) in cases.items()})
        for name, (_, status, says) in cases.items():
            failed = running.error_of(name)
            assert (failed.code, failed.data["reason"]) == (-32015, f"http_{status}")
            assert failed.message.endswith(f"found {status}{says}"), failed.message
        assert other.received == []
        assert [one.path for one in upstream.received].count("/loop") == 6


def test_secrets_are_read_again_and_never_shown(asking, upstream, tmp_path):
    token = tmp_path / "token"
    token.write_text("first-secret")
    token.chmod(0o600)
    step = {"fetch": "a", "headers": {"X-Key": "${secret.key}"}}
    running = asking([step], {"a": {"url": upstream.url}}, {"key": {"file": token}})
    running.call("m")
    token.write_text("second-secret")
    running.reload_file()
    running.call("m")
    assert [one.headers["x-key"] for one in upstream.received] == ["first-secret", "second-secret"]
    assert not [line for line in running.lines if "-secret" in line]
