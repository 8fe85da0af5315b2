#include <doctest/doctest.h>

#include "config/keys.h"
#include "config_support.h"

namespace ringmaster::config {

TEST_CASE("config: upstream URLs are checked") {
  for (const char* bad :
       {"ftp://x/", "127.0.0.1:7080", "http://", "http:///x", "http://a b/", "http://:80/"}) {
    CHECK(has_problem(kEcho + "[upstreams.u]\nurl = '" + bad + "'", "upstreams.u.url: expected"));
  }
  CHECK(has_problem(kEcho + "[upstreams.u]\nurl = 'http://x:99999/'", "expected a port"));
  CHECK(has_problem(kEcho + "[upstreams.u]\ntimeout_ms = 5", ":4: upstreams.u: has no url"));
  for (const std::string good : {"http://user@[::1]:80/x", "http://[::1]/", "http://[fd00::7]",
                                 "http://x?at=1:b", "http://x#a:b", "https://x/a:b"}) {
    CAPTURE(good);
    CHECK(problems_of(kEcho + "[upstreams.u]\nurl = '" + good + "'").empty());
  }
}

TEST_CASE("config: steps are checked") {
  const std::string fetch = kEcho + "[upstreams.users]\nurl = 'http://x/'\n[methods.b]\n";
  CHECK(has_problem(fetch + "steps = [{}]",
                    ":7: methods.b.steps[0]: expected one of fetch, run and parallel, found none"));
  CHECK(has_problem(fetch + "steps = [{ run = 'echo', fetch = 'users' }]",
                    "expected one of fetch, run and parallel, found 2"));
  CHECK(has_problem(fetch + "steps = [{ fetch = 'user' }]",
                    "unknown upstream \"user\"; did you mean users?"));
  CHECK(has_problem(fetch + "steps = [{ run = 'eco' }]",
                    "methods.b.steps[0].run: unknown handler \"eco\"; did you mean echo?"));
  CHECK(has_problem(kEcho + "[methods.b]\nsteps = [{ fetch = 'users' }]",
                    "unknown upstream \"users\": there is no [upstreams.NAME]"));
  CHECK(has_problem(fetch + "steps = []", "expected 1 to 8 steps, found 0"));
  CHECK(has_problem(fetch, "methods.b: has no steps"));
  CHECK(has_problem(fetch + "steps = [{ run = 'echo', body = {} }]", "belongs to a fetch step"));
  std::string many;
  for (size_t i = 0; i <= master::kMaxSteps; ++i)
    many += "{ run = 'echo' },";
  CHECK(has_problem(fetch + "steps = [" + many + "]", "expected 1 to 8 steps, found 9"));
}

TEST_CASE("config: bodies of fetch steps are checked") {
  const std::string begin =
      kEcho + "[upstreams.u]\nurl = 'http://x/'\n[methods.b]\nsteps = [{ fetch = 'u', body = ";
  CHECK(has_problem(
      begin + "{ a = { b = ['$params.'] } } }]",
      "methods.b.steps[0].body.a.b[0]: expected ${NAME}, or $$ for a dollar, found \"$params.\""));
  CHECK(has_problem(begin + "{ a = '${params.x..y}' } }]", "expected names with dots"));
  CHECK(has_problem(begin + "'${params.x}' }]", "expected a table such as"));
  CHECK(has_problem(begin + "{ a = nan } }]", "methods.b.steps[0].body.a: inf and nan"));
  const auto deep = [](size_t arrays) {
    return "{ a = " + std::string(arrays, '[') + std::string(arrays, ']') + " } }]";
  };
  CHECK(problems_of(begin + deep(127)).empty());  // 128 with the table around the arrays
  CHECK(has_problem(begin + deep(128), "is nested deeper than 128"));
  CHECK(problems_of(begin + "{ price = '$$', text = 'a ${params.x} b', all = '${params.a.b}' } }]")
            .empty());
}

TEST_CASE("config: numbers in bodies stay what they are") {
  const Loaded loaded =
      Folder().load(kEcho +
                    "[upstreams.u]\nurl = 'http://x/'\n[methods.b]\nsteps = [{ fetch = 'u', body = "
                    "{ a = 1, b = 1.0, c = 2.5, d = 1e300, e = true, f = 'x' } }]");
  REQUIRE(loaded.problems.empty());
  const auto& fetch = std::get<master::FetchStep>(loaded.options.methods.back().steps.front());
  CHECK(fetch.request.body() == R"({"a":1,"b":1.0,"c":2.5,"d":1e+300,"e":true,"f":"x"})");
}

TEST_CASE("config: methods are checked") {
  CHECK(has_problem("", ": methods: expected at least one method"));
  CHECK(has_problem("[methods]", ":1: methods: expected at least one method"));
  CHECK(has_problem(
      kEcho + "[methods.'rpc.discover']\nsteps = [{ run = 'echo' }]",
      ":4: methods.\"rpc.discover\": method names that begin with \"rpc.\" are reserved"));
  CHECK(has_problem(kEcho + "[methods.'']\nsteps = [{ run = 'echo' }]", "expected a name"));
  CHECK(has_problem(kEcho + "[methods.interests.predict]\nsteps = [{ run = 'echo' }]",
                    "needs quotes: [methods.\"interests.predict\"]"));
}

}  // namespace ringmaster::config
