#include "base/json/kept_job.h"

#include <doctest/doctest.h>

#include "base/json/scan.h"

namespace ringmaster::json {
namespace {

const KeptJob kJob{.method = "a \"b\"",
                   .steps = {"users", "f", "g"},
                   .step = 2,
                   .params = R"({"n":[1e400, 2.50,"\ud800"]})",
                   .outputs = {R"({"user_id": 7})", std::string("<html>\n\xff\0", 9)},
                   .id = "1.50",
                   .traceparent = "00-x"};

std::string bytes_of_every_value() {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte)
    bytes += static_cast<char>(byte);
  return bytes;
}

void check_equal(const KeptJob& one, const KeptJob& other) {
  CHECK(one.method == other.method);
  CHECK(one.steps == other.steps);
  CHECK(one.step == other.step);
  CHECK(one.params == other.params);
  CHECK(one.outputs == other.outputs);
  CHECK(one.id == other.id);
  CHECK(one.traceparent == other.traceparent);
}

std::string error_of(std::string_view text) {
  const auto job = decode_kept_job(text);
  REQUIRE(!job);
  CHECK(job.error().exit_code == ExitCode::kUsage);
  return job.error().message;
}

}  // namespace

TEST_CASE("kept job: comes back byte for byte, and notes change nothing") {
  const KeptNote notes[] = {{"kept", R"("it was slow")"}, {"deaths", R"([{"step": 9}])"}};
  for (const std::string& text : {encode(kJob, {}), encode(kJob, notes)}) {
    CAPTURE(text);
    CHECK(!find_fault(text));
    const auto job = decode_kept_job(text);
    REQUIRE(job);
    check_equal(*job, kJob);
  }
}

TEST_CASE("kept job: has no params, id and traceparent where the client sent none") {
  KeptJob job;
  job.method = "m";
  job.steps = {"f"};
  CHECK(encode(job, {}) == "{\n\"method\": \"m\",\n\"steps\": [\"f\"],\n\"step\": 1\n}\n");
  check_equal(decode_kept_job(encode(job, {})).value(), job);
}

TEST_CASE("kept job: an output that is no JSON, or too deep, is kept as bytes") {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  KeptJob job;
  job.method = "m";
  job.steps = {"a", "f"};
  job.step = 1;
  job.outputs = {""};
  const auto is_as_it_is = [&job](const std::string& output) {
    job.outputs[0] = output;
    const std::string text = encode(job, {});
    CHECK(!find_fault(text));
    check_equal(decode_kept_job(text).value(), job);
    return find_member(text, "output_1") == output;
  };
  CHECK(is_as_it_is("{}"));
  CHECK(is_as_it_is("null"));
  CHECK(is_as_it_is(nested(kMaxDepth - 1)));
  for (const std::string& other : {nested(kMaxDepth), bytes_of_every_value(),
                                   std::string("1, \"step\": 9"), std::string("{} {}")}) {
    CAPTURE(other);
    CHECK(!is_as_it_is(other));
  }
  job.outputs = {""};
  check_equal(decode_kept_job(encode(job, {})).value(), job);
}

TEST_CASE("kept job: an earlier step needs no later outputs") {
  std::string text = encode(kJob, {});
  text.replace(text.rfind("3\n}"), 1, "2");
  const auto job = decode_kept_job(text);
  REQUIRE(job);
  CHECK(job->step == 1);
  CHECK(job->outputs == std::vector<std::string>{kJob.outputs[0]});
}

TEST_CASE("kept job: a damaged file is refused, and the error says what was expected") {
  const std::string head = R"("method": "m", "steps": ["a", "f"], )";
  CHECK(error_of("") == "expected a JSON object: expected a value at byte 0, found the end");
  CHECK(error_of("[1]") == "expected \"method\", a string, found none");
  CHECK(error_of(R"({"method": 5})") == "expected \"method\", a string, found 5");
  for (const char* steps : {"5", "[]", "[5]", "{}"}) {
    CHECK(error_of(R"({"method": "m", "steps": )" + std::string(steps) + "}") ==
          "expected \"steps\", an array of names, found " + std::string(steps));
  }
  for (const char* step : {"0", "3", "-1", "1.0", "\"1\"", "99999999999999999999999"}) {
    CHECK(error_of("{" + head + "\"step\": " + step + "}") ==
          "expected \"step\", a number from 1 to 2, found " + std::string(step));
  }
  CHECK(error_of("{" + head + R"("step": 1, "params": 5})") ==
        "expected \"params\", an object or array, found 5");
  CHECK(error_of("{" + head + R"("step": 1, "traceparent": 5})") ==
        "expected \"traceparent\", a string, found 5");
  CHECK(error_of("{" + head + R"("step": 2})") ==
        "expected either \"output_1\" or \"output_1_bytes\", found neither");
  CHECK(error_of("{" + head + R"("step": 2, "output_1": 1, "output_1_bytes": ""})") ==
        "expected either \"output_1\" or \"output_1_bytes\", found both");
  for (const char* bytes : {"5", "\"\\u0100\"", "\"\\ud83d\\ude00\"", "\"\\ud800\""}) {
    CHECK(error_of("{" + head + R"("step": 2, "output_1_bytes": )" + bytes + "}") ==
          "expected \"output_1_bytes\" to be a string of characters up to U+00FF, found " +
              std::string(bytes));
  }
}

TEST_CASE("kept job: no cut file is taken for a whole one") {
  const std::string text = encode(kJob, {});
  for (size_t size = 0; size + 2 < text.size(); ++size)
    CHECK(!decode_kept_job(std::string_view(text).substr(0, size)));
}

}  // namespace ringmaster::json
