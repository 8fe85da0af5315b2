// SharedFetches and AnswerCache: the input is the options of an upstream, and a script. Fetches
// begin and are cancelled, the upstream sends bodies in pieces or fails, time passes, the
// configuration is reloaded, and the cache is too small for all.
//
// Whatever the order: each fetch is answered once, in a turn, in time, with whole bytes that the
// upstream has sent for its own key and that it may use at that time, or with a failure of its own.
// The bounds of the memory are kept, and at the end nothing is held.
#include <deque>
#include <fuzzer/FuzzedDataProvider.h>
#include <list>
#include <string>

#include "fetch_oracle.h"
#include "fuzz.h"
#include "scripted_upstream.h"

namespace ringmaster::upstream {
namespace {

using fuzz::Call;
using Failure = HttpClient::Failure;

constexpr size_t kSteps = 100;
// The time that a fetch may last beyond its timeout, since the upstream is told whole milliseconds.
constexpr uint64_t kLateNs = 2 * kNsPerMs;

UpstreamOptions options_from(FuzzedDataProvider& script) {
  UpstreamOptions options;
  options.name = "u";
  options.coalesce = script.ConsumeBool();
  const auto ms = [&] { return script.PickValueInArray<uint64_t>({0, 0, 5, 50}); };
  options.cache = {ms(), ms(), ms(), ms(),
                   script.PickValueInArray<uint64_t>({32 << 20, 500, 1000, 3000})};
  return options;
}

class Play {
 public:
  explicit Play(FuzzedDataProvider& script) : script_(script), options_(options_from(script)) {
    generations_.emplace_back(*this);
  }

  void run() {
    for (size_t i = 0; i < kSteps && script_.remaining_bytes() > 0; ++i) {
      step();
      check_bounds();
    }
    do {
      upstream_.end_all();
      settle();
    } while (!upstream_.is_idle());
    for (const Call& call : calls_)
      RM_ASSERT(call.fetch == nullptr);
    for (const Generation& generation : generations_) {
      RM_ASSERT(generation.fetches.buffer_bytes() == 0);
      RM_ASSERT(generation.fetches.next_timeout_ns() == UINT64_MAX);
    }
    uint64_t counted = 0;
    for (const uint64_t count : generations_.back().fetches.counts())
      counted += count;
    RM_ASSERT(counted == answered_);
  }

 private:
  // The fetches of one configuration.
  struct Generation {
    explicit Generation(Play& play)
        : fetches(
              play.options_,
              {[&play, this](HttpClient::Request request) {
                 return play.upstream_.ask(fetches, std::move(request), play.now_ns_);
               },
               [&play](Attempts::Fetch* fetch, bool) { play.upstream_.cancel(fetch); },
               [&play](Attempts::Fetch* fetch, const void*) { play.upstream_.check_asked(fetch); },
               [this] { is_awake = true; }}) {}

    SharedFetches fetches;
    bool is_awake = false;
    size_t calls = 0;  // that wait
  };

  bool is_rare() { return script_.ConsumeIntegralInRange(0, 7) == 7; }
  size_t index_in(size_t size) { return script_.ConsumeIntegralInRange<size_t>(0, size - 1); }

  void step() {
    switch (script_.ConsumeIntegralInRange(0, 10)) {
      case 0:
      case 1:
      case 2:
        return start();
      case 3:
        return cancel_any();
      case 4:
        return pass();
      case 5:
        return upstream_.send_any();
      case 6:
      case 7:
        return upstream_.end_any();
      case 8:
        return turn(some_generation());
      case 9:
        return settle();
      default:
        return reload();
    }
  }

  void start() {
    Call& call = calls_.emplace_back();
    Generation& generation = generations_.back();
    const fuzz::Key& key = fuzz::kKeys[call.key = index_in(std::size(fuzz::kKeys))];
    HttpClient::Request request;
    request.method = key.method;
    request.target = key.target;
    request.body = key.body;
    request.headers = key.headers;
    request.number = calls_.size();
    request.timeout_ms = script_.ConsumeIntegralInRange<uint64_t>(1, 60);
    request.left_ms = script_.ConsumeIntegralInRange<uint64_t>(1, 60);
    request.on_bytes = [this, &call](std::string_view bytes, uint64_t expected) {
      RM_ASSERT(is_in_turn_ && call.fetch != nullptr && call.body.empty());
      RM_ASSERT(!bytes.empty() && expected == bytes.size());
      call.body = bytes;
      call.has_refused = is_rare();
      return !call.has_refused;
    };
    request.on_done = [this, &call](const std::optional<Failure>& failure, uint64_t) {
      on_done(call, failure);
    };
    call.turn = turn_ + 1;
    call.responses = oracle_.responses.size();
    call.began_ns = now_ns_;
    call.timeout_ns = now_ns_ + request.timeout_ms * kNsPerMs;
    call.busy_ns = busy_ns_;
    call.generation = &generation;
    ++generation.calls;
    call.fetch = generation.fetches.start(std::move(request), now_ns_);
  }

  void on_done(Call& call, const std::optional<Failure>& failure) {
    RM_ASSERT(is_in_turn_ && call.fetch != nullptr);
    const Sharing sharing = SharedFetches::sharing_of(*call.fetch);
    forget(call);
    ++answered_;
    oracle_.check(call, sharing, failure, now_ns_);
    if (is_rare()) start();
    if (is_rare()) cancel_any();
  }

  void forget(Call& call) {
    call.fetch = nullptr;
    --static_cast<Generation*>(call.generation)->calls;
  }

  void cancel_any() {
    if (calls_.empty()) return;
    Call& call = calls_[index_in(calls_.size())];
    if (call.fetch == nullptr) return;
    SharedFetches::Fetch* const fetch = call.fetch;
    forget(call);
    static_cast<Generation*>(call.generation)
        ->fetches.cancel(fetch, script_.ConsumeBool(), now_ns_);
  }

  // What HttpClient and the loop's timer do in time, unless the loop is busy.
  void pass() {
    const uint64_t ns = script_.ConsumeIntegralInRange<uint64_t>(1, 20 * kNsPerMs);
    const uint64_t until_ns = now_ns_ + ns;
    if (is_rare()) {
      busy_ns_ += ns;
    } else {
      settle();
      for (uint64_t next_ns = next_timeout_ns(); next_ns <= until_ns; next_ns = next_timeout_ns()) {
        now_ns_ = std::max(now_ns_, next_ns);
        upstream_.time_out(now_ns_);
        settle();
      }
    }
    now_ns_ = until_ns;
  }

  uint64_t next_timeout_ns() const {
    uint64_t next_ns = upstream_.next_timeout_ns();
    for (const Generation& generation : generations_)
      next_ns = std::min(next_ns, generation.fetches.next_timeout_ns());
    return next_ns;
  }

  Generation& some_generation() {
    return *std::next(generations_.begin(), index_in(generations_.size()));
  }

  void turn(Generation& generation) {
    upstream_.begin_turn(generation.fetches, ++turn_, now_ns_);
    is_in_turn_ = true;
    generation.is_awake = false;
    generation.fetches.turn(now_ns_);
    is_in_turn_ = false;
  }

  // Turns until nothing is to be done. Then no fetch is late.
  void settle() {
    for (auto& generation : generations_) {
      while (generation.is_awake || generation.fetches.next_timeout_ns() <= now_ns_)
        turn(generation);
    }
    for (const Call& call : calls_) {
      const uint64_t late_ns = kLateNs + busy_ns_ - call.busy_ns;
      RM_ASSERT(call.fetch == nullptr || now_ns_ < call.timeout_ns + late_ns);
    }
  }

  // The fetches of the former configuration go on. Without any it is dropped.
  void reload() {
    if (generations_.size() > 1 && generations_.front().calls == 0) {
      upstream_.forget(generations_.front().fetches);
      generations_.pop_front();
    }
    Generation& before = generations_.back();
    generations_.emplace_back(*this).fetches.adopt(before.fetches);
  }

  void check_bounds() const {
    for (const Generation& generation : generations_) {
      const SharedFetches& fetches = generation.fetches;
      RM_ASSERT(fetches.cache().bytes() <= options_.cache.bytes);
      RM_ASSERT(fetches.buffer_bytes() <= SharedFetches::buffer_bytes_max(options_));
      RM_ASSERT(!fetches.is_due() || generation.is_awake);
      RM_ASSERT(fetches.buffer_bytes() >= upstream_.bytes_for(fetches));
    }
  }

  FuzzedDataProvider& script_;
  const UpstreamOptions options_;
  uint64_t now_ns_ = kNsPerS;
  uint64_t busy_ns_ = 0;  // for how long the loop was busy
  fuzz::FetchOracle oracle_{options_};
  fuzz::ScriptedUpstream upstream_{script_, options_, oracle_.responses};
  std::deque<Call> calls_;
  size_t turn_ = 0;
  size_t answered_ = 0;
  bool is_in_turn_ = false;
  std::list<Generation> generations_;
};

}  // namespace
}  // namespace ringmaster::upstream

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringmaster;
  FuzzedDataProvider script(data, size);
  upstream::Play(script).run();
  return 0;
}
