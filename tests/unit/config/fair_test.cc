#include <doctest/doctest.h>

#include "config/keys.h"
#include "config_support.h"

namespace ringmaster::config {

TEST_CASE("config: weights of clients are read") {
  const Folder folder;
  const Loaded loaded = folder.load(
      kEcho + "[fair]\nby = 'none'\nweights = { batch = 0.25, 'CN=x' = 4, 'uid 7' = 1000 }\n");
  REQUIRE(loaded.problems.empty());
  const Fair& fair = loaded.options.fair;
  CHECK(!fair.is_by_client);
  CHECK(fair.weights ==
        std::map<std::string, double>{{"batch", .25}, {"CN=x", 4}, {"uid 7", 1000}});
  CHECK(dump(loaded.options)
            .find("by = \"none\"\nweights = { \"CN=x\" = 4, batch = 0.25, \"uid 7\" = 1000 }\n") !=
        std::string::npos);
}

TEST_CASE("config: [fair] is checked") {
  const std::string fair = kEcho + "[fair]\n";
  CHECK(has_problem(fair + "by = 'user'",
                    ":5: fair.by: expected \"client\" or \"none\", found \"user\""));
  CHECK(has_problem(fair + "by = 1", "fair.by: expected \"client\" or \"none\""));
  CHECK(has_problem(fair + "weight = {}", "did you mean weights?"));
  CHECK(has_problem(fair + "weights = 2", "fair.weights: expected a table such as"));
  for (const std::string bad : {"0", "-1", "1001", "0.0009", "nan", "inf", "'2'", "true"}) {
    CAPTURE(bad);
    CHECK(has_problem(fair + "weights = { a = " + bad + " }",
                      "fair.weights.a: expected a number from 0.001 to 1000, found"));
  }
}

TEST_CASE("config: methods cannot reserve all workers") {
  const auto with = [](uint64_t workers, uint64_t first, uint64_t second) {
    return kEcho + "reserved_workers = " + std::to_string(first) +
           "\n[methods.b]\nsteps = [{ run = 'echo' }]\nreserved_workers = " +
           std::to_string(second) + "\n[workers]\ncount = " + std::to_string(workers) + "\n";
  };
  CHECK(problems_of(with(4, 1, 2)).empty());
  CHECK(has_problem(with(3, 1, 2),
                    "methods: expected reserved_workers of at most 2 together, so that one of 3 "
                    "workers is left for other methods, found 3"));
}

TEST_CASE("config: a method reserves no more workers than it may use") {
  const std::string limits = kEcho + "concurrency = 1\nreserved_workers = ";
  CHECK(problems_of(limits + "1").empty());
  CHECK(has_problem(limits + "2",
                    "methods.echo: expected reserved_workers of at most concurrency, 1"));
}

}  // namespace ringmaster::config
