// burn: uses as much CPU time as the request says, in place of a model. Options: none.
//
//   burn {"cpu_ms": 30}   or   burn [30]   ->   {"cpu_ms":30}
//
// cpu_ms: milliseconds of CPU time of the worker's own thread, a number from 0 to 600000, fractions
//         allowed; the wall time may be longer. Overshoots by some microseconds.
// Errors: RM_INVALID_PARAMS when cpu_ms is missing, no number or out of range. Other members are
//         ignored; of duplicate keys the last one counts.
#include <cmath>
#include <ctime>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <string>
#include <string_view>

#include <ringmaster/handler.hpp>

namespace {

constexpr double kCpuMsMax = 600'000;

[[noreturn]] void refuse(std::string_view found) {
  throw ringmaster::Failure(
      RM_INVALID_PARAMS, "cpu_ms: expected a number from 0 to 600000, found " + std::string(found));
}

std::string print(const rapidjson::Value& value) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  value.Accept(writer);
  return {buffer.GetString(), buffer.GetSize()};
}

// The raw value of cpu_ms, as the result repeats it.
const rapidjson::Value& find_cpu_ms(const rapidjson::Document& params) {
  const rapidjson::Value* found = nullptr;
  if (params.IsArray()) {
    if (params.Size() != 1) refuse(std::to_string(params.Size()) + " positional parameters");
    found = &params[0];
  } else if (params.IsObject()) {
    for (const auto& member : params.GetObject()) {
      if (std::string_view(member.name.GetString(), member.name.GetStringLength()) == "cpu_ms") {
        found = &member.value;
      }
    }
  }
  if (found == nullptr) refuse("none");
  if (found->IsObject()) refuse("an object");
  if (found->IsArray()) refuse("an array");
  if (!found->IsNumber()) refuse(print(*found).substr(0, 64));
  const double cpu_ms = found->GetDouble();
  if (!(cpu_ms >= 0 && cpu_ms <= kCpuMsMax)) refuse(print(*found));
  return *found;
}

int64_t thread_cpu_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void use_cpu(double cpu_ms) {
  const int64_t end_ns = thread_cpu_ns() + std::llround(cpu_ms * 1e6);
  // Reading this clock is a system call. Some microseconds of work between two reads make most of
  // the time pass in user space, as in a model.
  volatile uint32_t sink = 1;
  while (thread_cpu_ns() < end_ns) {
    uint32_t state = sink;
    for (int i = 0; i < 2000; ++i)
      state = state * 1664525u + 1013904223u;
    sink = state;
  }
}

struct Burn {
  static constexpr const char* kDescription = R"({
    "summary": "Uses CPU time, like a model that takes that long.",
    "params": [
      {"name": "cpu_ms", "required": true, "summary": "milliseconds, fractions allowed",
       "schema": {"type": "number", "minimum": 0, "maximum": 600000}}
    ],
    "result": {
      "name": "used",
      "schema": {"type": "object", "required": ["cpu_ms"],
                 "properties": {"cpu_ms": {"type": "number"}}}
    },
    "examples": [
      {"name": "a short while", "params": [{"name": "cpu_ms", "value": 2.5}],
       "result": {"name": "used", "value": {"cpu_ms": 2.5}}}
    ]
  })";

  std::string run(const ringmaster::Job& job) {
    if (job.params().empty()) refuse("no params");
    rapidjson::Document params;
    // Iterative: deep params must not exhaust the stack.
    params.Parse<rapidjson::kParseIterativeFlag>(job.params().data(), job.params().size());
    if (params.HasParseError()) refuse("params that cannot be read");
    const rapidjson::Value& cpu_ms = find_cpu_ms(params);
    use_cpu(cpu_ms.GetDouble());
    return "{\"cpu_ms\":" + print(cpu_ms) + "}";
  }
};

}  // namespace

RINGMASTER_HANDLER(Burn)
