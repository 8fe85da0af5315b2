#include "base/traceparent.h"

#include <doctest/doctest.h>
#include <string>

TEST_CASE("traceparent: only text that W3C Trace Context allows is valid") {
  using ringmaster::is_traceparent;
  const std::string valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  CHECK(is_traceparent(valid));
  CHECK(is_traceparent("cc" + valid.substr(2)));  // a later version
  CHECK(!is_traceparent("ff" + valid.substr(2)));
  CHECK(!is_traceparent(""));
  CHECK(!is_traceparent(valid + "-"));
  CHECK(!is_traceparent(valid.substr(1)));
  CHECK(!is_traceparent("00-" + std::string(32, '0') + valid.substr(35)));
  CHECK(!is_traceparent(valid.substr(0, 36) + std::string(16, '0') + "-01"));
  for (size_t i = 0; i < valid.size(); ++i) {
    for (const char wrong : {'"', 'A', 'g', ' ', '\0'}) {
      std::string text = valid;
      text[i] = wrong;
      CAPTURE(text);
      CHECK(!is_traceparent(text));
    }
  }
}

TEST_CASE("traceparent: it is read, and written for a span that the request causes") {
  using namespace ringmaster;
  const std::string text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const TraceContext context = parse_traceparent(text);
  CHECK(context.is_known());
  CHECK(context.is_sampled);
  CHECK(span_id(context.parent) == "00f067aa0ba902b7");
  CHECK(trace_id(context) == "4bf92f3577b34da6a3ce929d0e0e4736");
  CHECK(make_traceparent(context, context.parent) == text);
  const TraceContext other = parse_traceparent(text.substr(0, 53) + "fe");
  CHECK_FALSE(other.is_sampled);
  CHECK(make_traceparent(other, 10) == "00-4bf92f3577b34da6a3ce929d0e0e4736-000000000000000a-00");
  CHECK_FALSE(parse_traceparent("00-4bf9").is_known());
  CHECK_FALSE(TraceContext().is_known());
}
