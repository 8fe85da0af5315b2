// The configuration of fetch steps, of secrets, and of upstreams' headers and files.
#include <cstdlib>
#include <doctest/doctest.h>
#include <sys/stat.h>

#include "config_support.h"

namespace ringmaster::config {
namespace {

const std::string kUpstreams =
    kEcho + "[upstreams.u]\nurl = 'http://x/'\n[upstreams.v]\nurl = 'http://x/?a'\n";

std::string with_steps(const std::string& steps) {
  return kUpstreams + "[methods.b]\nsteps = [" + steps + "]";
}

std::string with_secret(const std::string& keys) {
  return kUpstreams + "[secrets.s]\n" + keys;
}

}  // namespace

TEST_CASE("config: a step is of one kind, with the keys of its kind") {
  CHECK(has_problem(with_steps("{ run = 'echo', path = '/' }"), "path: belongs to a fetch step"));
  CHECK(has_problem(with_steps("{ parallel = [{ fetch = 'u' }], as = 'x' }"),
                    "as: belongs to a fetch step"));
  CHECK(has_problem(with_steps("{ parallel = [] }"), "expected a fetch step, found none"));
  CHECK(has_problem(with_steps("{ parallel = [{ run = 'echo' }] }"), "expected a fetch step"));
  CHECK(has_problem(with_steps("{ fetch = 'u', as = 'params' }"), "as: expected another name"));
  CHECK(has_problem(with_steps("{ fetch = 'u', as = 'a.b' }"), "as: expected a name of letters"));
  CHECK(
      has_problem(with_steps("{ fetch = 'u' }, { fetch = 'u', as = 'u' }"), "an earlier step has"));
  CHECK(
      has_problem(with_steps("{ parallel = [{ fetch = 'u' }, { fetch = 'u' }] }, { run = 'echo' }"),
                  "another step of this parallel is called u"));
  CHECK(has_problem(with_steps("{ parallel = [{ fetch = 'u' }, { fetch = 'v' }] }"),
                    "expected a last step with one output"));
  CHECK(has_problem(with_steps("{ fetch = 'u', optional = 1 }"), "optional: expected true or"));
  CHECK(has_problem(with_steps("{ fetch = 'u', timeout_ms = 0 }"), "timeout_ms: expected 1 ms"));
  CHECK(has_problem(with_steps("{ fetch = 'u', method = 'get' }"), "unknown method \"get\""));
  CHECK(has_problem(with_steps("{ fetch = 'u', method = 'GET', body = {} }"), "a GET has no body"));
  CHECK(has_problem(with_steps("{ fetch = 'v', path = '/a' }"), "expected an upstream whose url"));
  CHECK(has_problem(with_steps("{ fetch = 'u', query = { a = [] } }"), "query.a: expected a text"));
  CHECK(has_problem(with_steps("{ fetch = 'u', headers = { Host = 'a' } }"), "sets this header"));
  CHECK(has_problem(with_steps("{ fetch = 'u', haeders = {} }"), "did you mean headers?"));
}

TEST_CASE(
    "config: a template sees the steps before it, and not those that begin together with it") {
  CHECK(
      problems_of(with_steps("{ fetch = 'u' }, { fetch = 'v', body = { a = '${u.x}' } }")).empty());
  CHECK(problems_of(with_steps("{ parallel = [{ fetch = 'u' }, { fetch = 'v', as = 'w' }] }, "
                               "{ fetch = 'u', query = { a = '${w.0}' } }"))
            .empty());
  CHECK(
      has_problem(with_steps("{ fetch = 'u', body = { a = '${w.x}' } }"), "unknown source or ea"));
  CHECK(has_problem(
      with_steps("{ parallel = [{ fetch = 'u' }, { fetch = 'v', body = { a = '${u.x}' } }] }, "
                 "{ run = 'echo' }"),
      "parallel[1].body.a: step \"u\" does not end before this one begins"));
  for (const std::string name : {"u", "w", "x"}) {
    CAPTURE(name);
    CHECK(has_problem(
        with_steps("{ fetch = 'u', body = { a = '${" + name +
                   ".y}' } }, { fetch = 'v', as = 'w' }, { parallel = [{ fetch = 'v', as = 'x' }] }"
                   ", { run = 'echo' }"),
        "body.a: step \"" + name + "\" does not end before this one begins"));
  }
}

TEST_CASE("config: steps that begin together are written together again") {
  const Folder folder;
  const Loaded loaded = folder.load(
      with_steps("{ parallel = [{ fetch = 'u', path = '/${params.a}', optional = true }, "
                 "{ fetch = 'u', as = 'w', timeout_ms = 7, query = { q = 1 } }] }, "
                 "{ run = 'echo', as = 'x' }"));
  REQUIRE(loaded.problems.empty());
  const master::Method& method = loaded.options.methods.back();
  REQUIRE(method.steps.size() == 3);
  CHECK(master::end_of_parallel(method, 0) == 2);
  CHECK(master::end_of_parallel(method, 2) == 3);
  const std::string text = dump(loaded.options);
  const Loaded again = folder.load(text);
  CHECK(again.problems.empty());
  CHECK(dump(again.options) == text);
  CHECK(text.find("parallel = [{ fetch = \"u\", method = \"GET\", path = \"/${params.a}\"") !=
        std::string::npos);
}

TEST_CASE("config: secrets are read, checked and never shown") {
  const Folder folder;
  ::chmod(folder.write("secret", "the secret text\r\n").c_str(), 0600);
  folder.write("empty", "\n");
  folder.write("lines", "a\nb\n");
  folder.write("latin", "caf\xe9");
  ::chmod(folder.write("open", "x").c_str(), 0644);
  const Loaded loaded = folder.load(with_secret("file = 'secret'"));
  REQUIRE(loaded.problems.empty());
  CHECK(loaded.options.secrets.at("s").text == "the secret text");
  CHECK(dump(loaded.options).find("secret text") == std::string::npos);
  CHECK(dump(loaded.options).find("file = \"" + folder.at("secret")) != std::string::npos);
  const auto problem = [&](const std::string& keys) {
    const auto problems = folder.load(with_secret(keys)).problems;
    return problems.empty() ? "" : problems.front().message;
  };
  CHECK(problem("") == "expected either file or env, found neither");
  CHECK(problem("file = 'secret'\nenv = 'A'") == "expected either file or env, found both");
  CHECK(problem("file = 'empty'") == "expected a secret, found nothing");
  CHECK(problem("file = 'lines'") == "expected one line, without control characters");
  CHECK(problem("file = 'latin'") == "expected UTF-8");
  CHECK(problem("file = 'open'").find("may be read by everybody") != std::string::npos);
  CHECK(problem("file = 'secert'").find("did you mean") != std::string::npos);
  ::unsetenv("RINGMASTER_TEST_SECRET");
  CHECK(problem("env = 'RINGMASTER_TEST_SECRET'") ==
        "there is no environment variable RINGMASTER_TEST_SECRET");
  ::setenv("RINGMASTER_TEST_SECRET", "x", 1);
  CHECK(problem("env = 'RINGMASTER_TEST_SECRET'").empty());
  CHECK(std::getenv("RINGMASTER_TEST_SECRET") == nullptr);   // handlers do not inherit it
  CHECK(problem("env = 'RINGMASTER_TEST_SECRET'").empty());  // a reload
}

TEST_CASE("config: an upstream's headers use no params; certificate and key go together") {
  const std::string upstream = kEcho + "[upstreams.u]\nurl = 'http://x/'\n";
  CHECK(has_problem(upstream + "headers = { A = '${params.a}' }",
                    "headers: A: params and steps differ"));
  CHECK(has_problem(upstream + "headers = { 'A b' = 'x' }", "expected a header's name"));
  CHECK(has_problem(upstream + "headers = { A = 1 }", "expected a text"));
  CHECK(has_problem(upstream + "tls_ca_file = 'none'", "tls_ca_file: "));
  CHECK(has_problem(upstream + "redirects = 'all'",
                    "redirects: expected \"none\" or \"same-origin\", found \"all\""));
  CHECK(has_problem(upstream + "http = 2",
                    "http: expected \"auto\", \"1.1\" or \"2\", found the integer 2"));
  CHECK(has_problem(upstream + "http = '2'", "expected a url with https:// for http = \"2\""));
  CHECK(problems_of(kEcho + "[upstreams.u]\nurl = 'https://x/'\nhttp = '2'").empty());
  CHECK(has_problem(upstream + "redirects = true", "redirects: expected \"none\""));
  CHECK(has_problem(kEcho + "[upstreams.u]\nurl = 'unix:'", "unix:"));
  const Folder folder;
  ::chmod(folder.write("c", "").c_str(), 0600);
  CHECK(folder.load(upstream + "tls_key_file = 'c'").problems.front().message ==
        "expected both tls_certificate_file and tls_key_file, found one of them");
}

TEST_CASE("config: an upstream has one address or several, each of which is checked") {
  const std::string upstream = kEcho + "[upstreams.u]\nurl = ";
  const Folder folder;
  const Loaded loaded = folder.load(upstream + "['http://x/', 'unix:a', 'https://[::1]:1']");
  REQUIRE(loaded.problems.empty());
  const UpstreamOptions& options = loaded.options.upstreams[0];
  CHECK(options.url == "http://x/");
  CHECK(options.further_urls ==
        std::vector<std::string>{"unix:" + folder.at("a"), "https://[::1]:1"});
  const std::string again = dump(loaded.options);
  CHECK(dump(folder.load(again).options) == again);
  CHECK(has_problem(upstream + "[]", "url: expected 1 to 16 URLs, found 0"));
  CHECK(has_problem(upstream + "['http://x', 1]", "url[1]: expected a URL, found the integer 1"));
  CHECK(has_problem(upstream + "['http://x', 'ftp://y']", "url[1]: expected a URL"));
  CHECK(has_problem(upstream + "['http://x', 'http://y', 'http://x']",
                    "url[2]: expected another URL"));
  CHECK(has_problem(upstream + "['http://x', 'http://y']\nconnections = 1",
                    "u: expected connections = 2 or more, one for each address, found 1"));
  CHECK(has_problem(upstream + "['http://x', 'http://y']\nin_flight = 1", "in_flight = 2 or more"));
  CHECK(problems_of(upstream + "['http://x', 'http://y']\nin_flight = 'auto'").empty());
  const std::string second = upstream + "['http://x', 'http://y?a']\n[methods.m]\nsteps = ";
  CHECK(problems_of(second + "[{ fetch = 'u' }]").empty());
  CHECK(has_problem(second + "[{ fetch = 'u', path = '/a' }]", "expected an upstream whose url"));
}

TEST_CASE("config: a hedge has a time, and only idempotent requests are hedged") {
  const auto with = [](const std::string& hedge, const std::string& more = "") {
    return kEcho + "[upstreams.u]\nurl = 'http://x/'\nhedge = " + hedge + "\n" + more;
  };
  const std::string post = "[methods.m]\nsteps = [{ fetch = 'u', body = {} }]";
  const Folder folder;
  for (const char* good : {"{ after = 'p50' }", "{ after = 20, budget_percent = 100 }",
                           "{ after = 'p99', budget_percent = 1 }", "{}"}) {
    const Loaded loaded = folder.load(with(good, "idempotent = true\n" + post));
    REQUIRE(loaded.problems.empty());
    const std::string again = dump(loaded.options);
    CHECK(dump(folder.load(again).options) == again);
  }
  CHECK(problems_of(with("{ after = 5 }", "[methods.m]\nsteps = [{ fetch = 'u' }]")).empty());
  CHECK(problems_of(with("{}", post)).empty());
  CHECK(has_problem(with("{ after = 5 }", post), "is a POST to an upstream with hedge"));
  for (const char* bad : {"p100", "p49", "95", "p9x", ""})
    CHECK(has_problem(with("{ after = '" + std::string(bad) + "' }"), "hedge.after: expected"));
  CHECK(has_problem(with("{ after = 0 }"), "hedge.after: expected 1 ms"));
  CHECK(has_problem(with("{ budget_percent = 5 }"), "hedge: has no after"));
  CHECK(has_problem(with("{ after = 5, budget_percent = 101 }"), "budget_percent: expected 1"));
  CHECK(has_problem(with("{ after = 5, budget = 5 }"), "budget: unknown key"));
  CHECK(has_problem(with("true"), "hedge: expected a table"));
}

TEST_CASE("config: only one url with a host name can be resolved") {
  const auto with = [](const std::string& url) {
    return kEcho + "[upstreams.u]\nurl = " + url + "\nresolve = true";
  };
  const std::string expected = "upstreams.u: expected one url with a host name for resolve = true";
  CHECK(problems_of(with("'https://users.internal/v1'")).empty());
  CHECK(has_problem(with("'http://127.0.0.1/'"), expected + ", found \"http://127.0.0.1/\""));
  CHECK(has_problem(with("'unix:/run/users.sock'"), expected));
  CHECK(has_problem(with("['http://a/', 'http://b/']"), expected + ", found an array"));
  CHECK(problems_of(with("'http://a/'\nconnections = 1")).empty());
  CHECK(problems_of(with("'https://a/'\nconnections = 1\nhttp = '1.1'")).empty());
  CHECK(problems_of(with("'https://a/'\nconnections = 32")).empty());
  CHECK(has_problem(with("'https://a/'\nconnections = 31"),
                    "upstreams.u: expected connections = 32 or more, or http = \"1.1\", for"));
  CHECK(has_problem(kEcho + "[upstreams.u]\nurl = 'http://x/'\nresolve = 1",
                    "resolve: expected true or false"));
}

TEST_CASE("config: attempts, idempotent and breaker have limits and kinds") {
  const std::string upstream = kEcho + "[upstreams.u]\nurl = 'http://x/'\n";
  CHECK(problems_of(upstream + "idempotent = true\nattempts = 5\nbreaker = true").empty());
  CHECK(has_problem(upstream + "attempts = 6", "attempts: expected 1 to 5"));
  CHECK(has_problem(upstream + "attempts = 0", "attempts: expected 1 to 5"));
  CHECK(has_problem(upstream + "idempotent = 1", "idempotent: expected true or false"));
  CHECK(has_problem(upstream + "breaker = 'yes'", "breaker: expected true or false"));
  CHECK(has_problem(upstream + "retries = 2", "retries: unknown key"));
}

TEST_CASE("config: a cache has known members and keeps something") {
  const std::string upstream = kEcho + "[upstreams.u]\nurl = 'http://x/'\ncache = ";
  for (const char* good : {"{}", "{ ttl_ms = 1 }", "{ negative_ttl_ms = 1, bytes = '64KiB' }",
                           "{ stale_if_error_ms = 1 }", "{ stale_while_revalidate_ms = 1 }"}) {
    CAPTURE(good);
    CHECK(problems_of(upstream + good).empty());
  }
  CHECK(has_problem(upstream + "{ ttl_m = 1 }",
                    "upstreams.u.cache.ttl_m: unknown key; did you mean ttl_ms?"));
  CHECK(has_problem(upstream + "{ ttl_ms = -1 }", "cache.ttl_ms: expected 0 ms to"));
  CHECK(has_problem(upstream + "{ ttl_ms = 1, bytes = 1 }", "cache.bytes: expected 64KiB to"));
  CHECK(has_problem(upstream + "true", "cache: expected a table, found true"));
  CHECK(has_problem(upstream + "{ bytes = '1MiB' }",
                    "cache: keeps no response; expected a time, such as ttl_ms = 1000"));
  CHECK(has_problem(upstream + "{}\ncoalesce = 1", "coalesce: expected true or false, found"));
  CHECK(has_problem(upstream + "{}\nidempotent = 1", "idempotent: expected true or false, found"));
}

TEST_CASE("config: only requests that are idempotent share responses") {
  const auto problems = [](const std::string& keys, const std::string& step) {
    return kEcho + "[upstreams.u]\nurl = 'http://x/'\n" + keys + "\n[methods.b]\nsteps = [{ " +
           "fetch = 'u', " + step + " }]";
  };
  const std::string idempotent = "idempotent = true\n";
  for (const char* keys : {"coalesce = true", "cache = { ttl_ms = 1 }"}) {
    CAPTURE(keys);
    CHECK(problems_of(problems(keys, "path = '/a'")).empty());
    CHECK(problems_of(problems(idempotent + keys, "body = {}")).empty());
    CHECK(has_problem(problems(keys, "body = {}"), "fetch: is a POST to an upstream with c"));
    CHECK(has_problem(problems(keys, "method = 'DELETE'"), "idempotent = true in [upstreams.u]"));
  }
  CHECK(problems_of(problems(idempotent + "coalesce = true", "method = 'PUT'")).empty());
  CHECK(has_problem(problems(idempotent + "cache = { ttl_ms = 1 }", "method = 'PUT'"),
                    "is a PUT to an upstream with cache: expected a GET or a POST"));
  CHECK(problems_of(problems("cache = {}", "method = 'PUT'")).empty());
}

}  // namespace ringmaster::config
