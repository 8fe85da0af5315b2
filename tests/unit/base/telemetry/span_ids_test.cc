#include "base/telemetry/span_ids.h"

#include <doctest/doctest.h>
#include <set>

namespace ringmaster::telemetry {
namespace {

TEST_CASE("span ids: each request, fetch and stage has its own id, and no id is 0") {
  std::set<uint64_t> ids = {0};
  size_t count = 1;
  for (uint64_t request = 1; request <= 1000; ++request) {
    for (size_t part = 0; part < 4; ++part) {
      ids.insert(fetch_span(request, part));
      ids.insert(stage_span(request, part));
      count += 2;
    }
    const TraceContext trace = new_trace(request);
    ids.insert({request_span(request), trace.trace[0], trace.trace[1]});
    count += 3;
  }
  CHECK(ids.size() == count);
}

TEST_CASE("span ids: the same part of the same request has the same id again") {
  CHECK(fetch_span(7, 1) == fetch_span(7, 1));
  CHECK(new_trace(7).trace == new_trace(7).trace);
  CHECK_FALSE(new_trace(7).is_sampled);
}

}  // namespace
}  // namespace ringmaster::telemetry
