#include <doctest/doctest.h>

#include "config/keys.h"
#include "config_support.h"

namespace ringmaster::config {

TEST_CASE("config: [telemetry] is read") {
  const Folder folder;
  const Loaded loaded =
      folder.load(kEcho +
                  "[telemetry]\notlp = 'http://collector:4318'\nservice = 'score'\n"
                  "one_of = 0\nslow_ms = 250\n");
  REQUIRE(loaded.problems.empty());
  CHECK(loaded.options.telemetry == Telemetry{"http://collector:4318", "score", 0, 250});
  CHECK(folder.load(kEcho + "[telemetry]\notlp = ''\n").options.telemetry == Telemetry{});
}

TEST_CASE("config: [telemetry] is checked") {
  const std::string telemetry = kEcho + "[telemetry]\n";
  CHECK(has_problem(telemetry + "otlp = 'collector:4318'",
                    ":5: telemetry.otlp: expected a URL that begins with http:// or https://"));
  CHECK(has_problem(telemetry + "otlp = 4318", "telemetry.otlp: expected a URL, or \"\""));
  CHECK(has_problem(telemetry + "one_off = 4", "did you mean one_of?"));
  CHECK(has_problem(kEcho + "[telemetri]\n", "did you mean telemetry?"));
}

}  // namespace ringmaster::config
