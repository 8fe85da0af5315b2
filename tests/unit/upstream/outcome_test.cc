#include "upstream/outcome.h"

#include <doctest/doctest.h>

namespace ringmaster::upstream {

TEST_CASE(
    "outcome: a status below 500 is an answer; a higher one is a failure, "
    "and so is no whole answer") {
  for (const char* reason : {"", "http_301", "http_404", "http_429"}) {
    CAPTURE(reason);
    CHECK(outcome_of(reason, 1, 1) == Outcome::kAnswer);
  }
  for (const char* reason :
       {"connect", "resolve", "timeout", "truncated", "protocol", "http_500", "http_503"}) {
    CAPTURE(reason);
    CHECK(is_fault(reason));
    CHECK(outcome_of(reason, 1, 1) == Outcome::kFailure);
  }
}

TEST_CASE("outcome: the limits of the server say nothing about the upstream") {
  for (const char* reason : {"no_memory", "too_large"}) {
    CAPTURE(reason);
    CHECK(!is_fault(reason));
    CHECK(outcome_of(reason, 1, 1) == Outcome::kCutOff);
  }
}

TEST_CASE("outcome: an attempt that never had a connection says nothing") {
  for (const char* reason : {"", "connect", "timeout", "http_503"})
    CHECK(outcome_of(reason, 0, 100) == Outcome::kCutOff);
}

TEST_CASE("outcome: a timeout says nothing if most of the time was a wait for a connection") {
  CHECK(outcome_of("timeout", 49, 100) == Outcome::kCutOff);
  CHECK(outcome_of("timeout", 50, 100) == Outcome::kFailure);
  // What an attempt got after a long wait counts.
  CHECK(outcome_of("http_503", 1, 100) == Outcome::kFailure);
  CHECK(outcome_of("", 1, 100) == Outcome::kAnswer);
}

}  // namespace ringmaster::upstream
