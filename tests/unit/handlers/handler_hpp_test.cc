// Tests handler.hpp from the other side of the C ABI, with a host that is a few lines of C.
#include <doctest/doctest.h>
#include <stdexcept>
#include <string>
#include <vector>

#include <ringmaster/handler.hpp>

namespace {

using ringmaster::Failure;
using ringmaster::Job;
using ringmaster::Options;

// The example of handler.hpp.
struct Greet {
  static constexpr char kDescription[] = "{\"summary\":\"Greets.\"}";
  explicit Greet(Options& options) : word(options.text("word", "hello")) {}
  std::string run(const Job& job) {
    if (job.params().empty()) throw Failure(RM_INVALID_PARAMS, "params: missing");
    return "[\"" + word + "\"," + std::string(job.params()) + "]";
  }
  std::string word;
};

struct Throws {
  std::string run(const Job& job) {
    if (job.params() == "1") throw std::runtime_error("the model is gone");
    if (job.params() == "2") throw 7;
    if (job.params() == "3") return std::string(job.input(1));
    job.answer("0");
    throw Failure(5, "after the answer");
  }
};

struct InPlace {
  void run(const Job& job) {
    char* room = job.reserve(job.params().size());
    if (room == nullptr) return;
    job.params().copy(room, job.params().size());
    job.commit(job.params().size());
  }
};

struct Batch {
  void run(std::span<const Job> jobs) {
    for (const Job& job : jobs) {
      if (job.params() == "bad") throw Failure(RM_UPSTREAM_FAILED, "a bad one", "[1]");
      if (job.params() == "odd") {
        job.fail(9, "odd", "{}");
      } else {
        job.answer(std::to_string(jobs.size()));
      }
    }
  }
};

struct Tuned {
  explicit Tuned(Options& options)
      : path(options.text("model")),
        depth(options.number("depth", 3, 1, 9)),
        share(options.number("share", 0.5, 0, 1)),
        is_strict(options.flag("strict", false)) {}
  void warm_up() {
    if (is_strict) throw std::runtime_error("cannot warm up " + path);
  }
  std::string run(const Job&) { return std::to_string(depth) + (share < 0.5 ? "-" : "+"); }
  std::string path;
  int depth;
  double share;
  bool is_strict;
};

struct Answer {
  int count = 0;
  int32_t code = 0;
  std::string text;
};

// The host functions are plain C, so they work on these globals.
const rm_job* first_job = nullptr;
std::vector<Answer> answers;
std::vector<char> room;
constexpr size_t kResponseBytes = 1000;

char* reserve(const rm_job* job, size_t size) {
  room.assign(size + 1, '?');
  if (size <= kResponseBytes) return room.data();
  answers[static_cast<size_t>(job - first_job)] = {1, -32008, ""};
  return nullptr;
}
void commit(const rm_job* job, size_t size) {
  Answer& answer = answers[static_cast<size_t>(job - first_job)];
  answer = {answer.count + 1, 0, std::string(room.data(), size)};
}
void fail_with_details(const rm_job* job, int32_t code, const char* message, size_t size,
                       rm_bytes details) {
  Answer& answer = answers[static_cast<size_t>(job - first_job)];
  answer = {answer.count + 1, code,
            std::string(message, size) + std::string(details.data, details.size)};
}
void fail(const rm_job* job, int32_t code, const char* message, size_t size) {
  fail_with_details(job, code, message, size, {});
}
const rm_host kHost = {reserve, commit, fail, fail_with_details, 0, 1024};

struct Library {};  // as RINGMASTER_HANDLER makes one

// A loaded handler, used as the host uses it. `error` is set when it could not be loaded.
class Loaded {
 public:
  explicit Loaded(const rm_handler& handler, std::vector<rm_option> options = {})
      : handler_(handler) {
    char reason[200] = "";
    if (handler_.load(options.data(), options.size(), &self_, reason, sizeof reason) != 0 ||
        (handler_.warm_up != nullptr && handler_.warm_up(self_, reason, sizeof reason) != 0)) {
      error = reason;
    }
  }
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;
  ~Loaded() {
    if (self_ != nullptr) handler_.unload(self_);
  }

  std::vector<Answer> run(const std::vector<std::string>& params) {
    std::vector<rm_job> jobs;
    for (const std::string& text : params)
      jobs.push_back({{text.data(), text.size()}, {}, 0, 0, {}, {}, {}});
    first_job = jobs.data();
    answers.assign(jobs.size(), {});
    handler_.run(self_, &kHost, jobs.data(), jobs.size());
    return answers;
  }
  Answer run_one(const std::string& params) { return run({params})[0]; }

  std::string error;

 private:
  rm_handler handler_;
  void* self_ = nullptr;
};

template <class Handler>
constexpr rm_handler kHandler = ringmaster::detail::make_handler<Handler, Library>();

}  // namespace

RINGMASTER_HANDLER(Greet)

TEST_CASE("handler.hpp: the macro exports a handler that loads, runs and unloads") {
  const rm_handler& handler = *ringmaster_handler();
  CHECK(handler.abi == RINGMASTER_HANDLER_ABI);
  CHECK((handler.warm_up == nullptr));
  Loaded greet(handler, {{"word", "welcome"}});
  CHECK(greet.error.empty());
  CHECK(greet.run_one("[1]").text == "[\"welcome\",[1]]");
  const Answer refused = greet.run_one("");
  CHECK(refused.code == RM_INVALID_PARAMS);
  CHECK(refused.text == "params: missing");
}

TEST_CASE("handler.hpp: a handler may have a description") {
  CHECK(std::string(ringmaster_handler()->describe(nullptr)) == "{\"summary\":\"Greets.\"}");
  CHECK((kHandler<Throws>.describe == nullptr));
}

TEST_CASE("handler.hpp: whatever run() throws becomes an answer, one for each job") {
  Loaded throws(kHandler<Throws>);
  const std::vector<Answer> all = throws.run({"1", "2", "3", "4"});
  CHECK(all[0].code == RM_HANDLER_FAILED);
  CHECK(all[0].text == "the model is gone");
  CHECK(all[1].code == RM_HANDLER_FAILED);
  CHECK(all[2].text.starts_with("expected an input 1, found 0 inputs"));
  CHECK(all[3].code == 0);
  for (const Answer& answer : all)
    CHECK(answer.count == 1);
}

TEST_CASE("handler.hpp: a job tells its method, id and traceparent, and each input with its name") {
  const auto bytes = [](std::string_view text) { return rm_bytes{text.data(), text.size()}; };
  const rm_input inputs[] = {{bytes("users"), bytes("{}")}, {bytes("echo"), bytes("")}};
  const rm_job told{bytes("[1]"), inputs, 2, 7, bytes("score"), bytes("\"a\""), bytes("00-1")};
  const Job job(kHost, told);
  CHECK(job.method() == "score");
  CHECK(job.id() == "\"a\"");
  CHECK(job.traceparent() == "00-1");
  CHECK(job.input_count() == 2);
  CHECK(job.input_name(0) == "users");
  CHECK(job.input(0) == "{}");
  CHECK(job.input_name(1) == "echo");
  CHECK(job.input(1).empty());
  CHECK_THROWS_AS(job.input_name(2), Failure);
}

TEST_CASE("handler.hpp: a result can be written in place, and may be too large") {
  Loaded in_place(kHandler<InPlace>);
  CHECK(in_place.run_one("[5]").text == "[5]");
  const Answer large = in_place.run_one(std::string(kResponseBytes + 1, ' '));
  CHECK(large.code == -32008);
  CHECK(large.count == 1);
}

TEST_CASE("handler.hpp: jobs are served together; an exception answers the unanswered ones") {
  Loaded batch(kHandler<Batch>);
  std::vector<Answer> all = batch.run({"a", "odd", "b"});
  CHECK(all[0].text == "3");
  CHECK(all[1].code == 9);
  CHECK(all[1].text == "odd{}");
  CHECK(all[2].text == "3");
  all = batch.run({"a", "bad", "b"});
  CHECK(all[0].code == 0);
  CHECK(all[1].code == RM_UPSTREAM_FAILED);
  CHECK(all[2].code == RM_UPSTREAM_FAILED);
  CHECK(all[2].text == "a bad one[1]");
  for (const Answer& answer : all)
    CHECK(answer.count == 1);
}

TEST_CASE("handler.hpp: options are read, with their defaults") {
  CHECK(Loaded(kHandler<Tuned>, {{"model", "/m"}}).run_one("").text == "3+");
  CHECK(Loaded(kHandler<Tuned>, {{"share", "0.25"}, {"depth", "9"}, {"model", "/m"}})
            .run_one("")
            .text == "9-");
}

TEST_CASE("handler.hpp: a wrong option is the reason why a handler is not loaded") {
  const auto error = [](std::vector<rm_option> options) {
    return Loaded(kHandler<Tuned>, std::move(options)).error;
  };
  CHECK(error({}) == "option \"model\" is missing; given: none");
  CHECK(error({{"modle", "/m"}}) == "option \"model\" is missing; given: modle");
  CHECK(error({{"model", "/m"}, {"dept", "4"}}) ==
        "unknown option \"dept\"; known: model, depth, share, strict");
  const std::string depth = "option \"depth\": expected a whole number from 1 to 9, found ";
  for (const char* wrong : {"0", "10", "3.5", "many", "", "99999999999"}) {
    CHECK(error({{"model", "/m"}, {"depth", wrong}}) == depth + '"' + wrong + '"');
  }
  CHECK(error({{"model", "/m"}, {"share", "nan"}}) ==
        "option \"share\": expected a number from 0 to 1, found \"nan\"");
  CHECK(error({{"model", "/m"}, {"strict", "yes"}}) ==
        "option \"strict\": expected true or false, found \"yes\"");
  CHECK(error({{"model", "/m"}, {"strict", "true"}}) == "cannot warm up /m");
  CHECK(Loaded(kHandler<Throws>, {{"model", "/m"}}).error ==
        "unknown option \"model\"; known: none");
}

TEST_CASE("handler.hpp: a reason longer than its buffer is cut, and ends in NUL") {
  char reason[8];
  void* self = nullptr;
  CHECK(kHandler<Tuned>.load(nullptr, 0, &self, reason, sizeof reason) != 0);
  CHECK(std::string(reason) == "option ");
  CHECK(self == nullptr);
}
