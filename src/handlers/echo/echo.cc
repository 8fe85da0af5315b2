// echo: returns its params as they came, `null` when there are none. Options: none.
//
// Cost: one copy, from the payload to the result. The cheapest job, for measurements.
#include <string_view>

#include <ringmaster/handler.hpp>

namespace {

struct Echo {
  // Describes no params: OpenRPC has no way to say "any params".
  static constexpr const char* kDescription = R"({
    "summary": "Returns its params as they came, whatever they are.",
    "result": {"name": "params", "summary": "null where there were none", "schema": {}},
    "examples": [
      {"name": "nothing", "params": [], "result": {"name": "params", "value": []}}
    ]
  })";

  void run(const ringmaster::Job& job) {
    job.answer(job.params().empty() ? std::string_view("null") : job.params());
  }
};

}  // namespace

RINGMASTER_HANDLER(Echo)
