#include "upstream/attempts.h"

#include <algorithm>
#include <fmt/format.h>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "upstream/fetch_failure.h"

namespace ringmaster::upstream {
namespace {

using Change = Breaker::Change;

// When a fetch is due that waits for the budget of hedges.
constexpr uint64_t kInWant = UINT64_MAX;

// The first bytes of a body that are held back while the fetch may be hedged.
constexpr size_t kHeldBytesMax = 64 * 1024;

// Whether no server has got the request.
bool has_reached_nobody(const HttpClient::Failure& failure) {
  return (failure.reason == "connect" || failure.reason == "resolve") && !failure.was_redirected;
}

uint64_t ms_left(uint64_t ms, uint64_t elapsed_ns) {
  return ms - std::min(ms, elapsed_ns / kNsPerMs);
}

}  // namespace

// One attempt that is under way.
struct Attempts::Copy {
  Fetch* fetch = nullptr;
  HttpClient::Fetch* sent = nullptr;  // null: it is not under way
  uint64_t sent_ns = 0;
  Balancer::Choice choice = {};
  Breaker::Pass pass = 0;
  bool is_retry = false;  // the copy counts in the retry budget
  std::string held;       // of its body, while the fetch may be hedged
  uint64_t expected = 0;  // the size of its body; 0: not announced
};

struct Attempts::Fetch {
  Attempts* attempts = nullptr;
  size_t at = 0;    // index in busy_
  Request request;  // what the next attempt sends, and the callbacks
  uint64_t began_ns = 0;
  uint64_t attempts_left = 0;
  bool is_repeatable = false;  // the upstream may do it twice
  bool may_be_hedged = false;
  const Copy* answering = nullptr;  // the copy whose bytes on_bytes got
  Balancer::Addresses tried = 0;
  Copy copies[2];                    // the second one is a hedge
  std::optional<Due::iterator> due;  // when it fails, is sent again or hedged
  std::optional<Failure> failure;    // of the last attempt, while the next one waits for its time

  bool is_sent() const { return copies[0].sent != nullptr || copies[1].sent != nullptr; }
  bool take_bytes(Copy& copy, std::string_view bytes, uint64_t expected);
  bool begin_answer(Copy& copy);
};

// on_bytes of a copy.
bool Attempts::Fetch::take_bytes(Copy& copy, std::string_view bytes, uint64_t expected) {
  if (answering == nullptr) {
    copy.expected = expected;
    if (may_be_hedged && copy.held.size() + bytes.size() <= kHeldBytesMax) {
      copy.held += bytes;
      return true;
    }
    if (!begin_answer(copy)) return false;
  }
  return answering == &copy && request.on_bytes(bytes, expected);
}

// From now on this copy's bytes are the fetch's. False: there is no room for those that were held.
bool Attempts::Fetch::begin_answer(Copy& copy) {
  answering = &copy;
  const std::string held = std::move(copy.held);
  return held.empty() || request.on_bytes(held, copy.expected);
}

Attempts::Attempts(uv_loop_t* loop, const UpstreamOptions& options)
    : options_(options),
      balancer_(1 + options.further_urls.size()),
      hedge_delay_(options.hedge),
      hedge_budget_(static_cast<double>(options.hedge.budget_percent) / 100, 0),
      timer_(make_handle<uv_timer_t>(loop, this, uv_timer_init)) {}

Attempts::~Attempts() {
  while (!busy_.empty())
    cancel(busy_.back().get(), false);
}

Attempts::Fetch* Attempts::take_fetch() {
  if (idle_.empty()) idle_.push_back(std::make_unique<Fetch>());
  busy_.push_back(std::move(idle_.back()));
  idle_.pop_back();
  Fetch& fetch = *busy_.back();
  fetch.attempts = this;
  for (Copy& copy : fetch.copies)
    copy.fetch = &fetch;
  fetch.at = busy_.size() - 1;
  return &fetch;
}

Attempts::Fetch* Attempts::start(Request request) {
  const uint64_t now = now_ns();
  Fetch& fetch = *take_fetch();
  fetch.is_repeatable = options_.is_idempotent || request.method == "GET";
  fetch.request = std::move(request);
  fetch.request.is_repeatable = fetch.is_repeatable;
  fetch.may_be_hedged = fetch.is_repeatable && options_.hedge.is_on();
  fetch.began_ns = now;
  fetch.attempts_left = options_.attempts;
  const auto pass = breaker_.try_pass(now);
  if (!pass) {
    wait(fetch, now, now);  // start() must return before on_done is called
    return &fetch;
  }
  retry_budget_.on_fetch();
  hedge_budget_.on_fetch();
  hedge_one_in_want(now);
  const std::optional<uint64_t> delay_ns = hedge_delay_.ns();
  if (delay_ns && fetch.may_be_hedged) wait(fetch, now + *delay_ns, now);
  --fetch.attempts_left;
  send(fetch.copies[0], *pass, now);
  return &fetch;
}

void Attempts::send(Copy& copy, Breaker::Pass pass, uint64_t now_ns) {
  Fetch& fetch = *copy.fetch;
  copy.pass = pass;
  copy.choice = balancer_.pick(fetch.tried, now_ns);
  copy.sent_ns = now_ns;
  copy.held.clear();
  fetch.tried |= 1u << copy.choice.address;
  auto on_bytes = std::move(fetch.request.on_bytes);
  auto on_done = std::move(fetch.request.on_done);
  const bool is_last = fetch.attempts_left == 0 && !fetch.due;
  Request request = is_last ? std::move(fetch.request) : Request(fetch.request);
  fetch.request.on_bytes = std::move(on_bytes);
  fetch.request.on_done = std::move(on_done);
  const uint64_t elapsed_ns = now_ns - fetch.began_ns;
  request.timeout_ms = ms_left(request.timeout_ms, elapsed_ns);
  request.left_ms = ms_left(request.left_ms, elapsed_ns);
  request.on_bytes = [&copy](std::string_view bytes, uint64_t expected) {
    return copy.fetch->take_bytes(copy, bytes, expected);
  };
  request.on_done = [&copy](std::optional<Failure> failure, uint64_t took_ns) {
    copy.sent = nullptr;
    copy.fetch->attempts->on_done(copy, std::move(failure), took_ns);
  };
  copy.sent = clients_[url_of(copy.choice)]->start(std::move(request), balancer_.name(copy.choice));
}

void Attempts::on_done(Copy& copy, std::optional<Failure> failure, uint64_t took_ns) {
  const uint64_t now = now_ns();
  const std::string_view reason = failure ? std::string_view(failure->reason) : "";
  end_attempt(copy, outcome_of(reason, took_ns, now - copy.fetch->began_ns), reason, took_ns, now);
  Fetch& fetch = *copy.fetch;
  Copy& other = fetch.copies[&copy == &fetch.copies[0] ? 1 : 0];
  if (fetch.answering == &other) return;  // this copy has lost
  if (failure && fetch.answering == nullptr) {
    if ((other.sent != nullptr && is_fault(reason)) || try_again(copy, *failure, now)) return;
  }
  if (!failure && fetch.answering == nullptr && !fetch.begin_answer(copy))
    failure = refused_body(options_, "no_memory");
  if (other.sent != nullptr) cut_off(other, false, now);
  const auto done = std::move(fetch.request.on_done);
  const uint64_t before_ns = copy.sent_ns - fetch.began_ns;
  recycle(fetch);
  done(std::move(failure), before_ns + took_ns);
}

bool Attempts::try_again(Copy& copy, const Failure& failure, uint64_t now_ns) {
  Fetch& fetch = *copy.fetch;
  const bool may_help =
      is_fault(failure.reason) && (fetch.is_repeatable || has_reached_nobody(failure));
  const bool must_pause = failure.retry_after_ms && !balancer_.has_untried(fetch.tried);
  const uint64_t at_ns = now_ns + (must_pause ? *failure.retry_after_ms * kNsPerMs : 0);
  if (fetch.attempts_left == 0 || !may_help || !has_time(fetch, at_ns)) return false;
  if (breaker_.is_open() || !retry_budget_.try_begin(in_flight())) return false;
  copy.is_retry = true;
  --fetch.attempts_left;
  if (must_pause) {
    stop_waiting(fetch);  // the fetch is not hedged any more
    fetch.failure = failure;
    wait(fetch, at_ns, now_ns);
  } else {
    repeat(copy, now_ns);
  }
  return true;
}

void Attempts::repeat(Copy& copy, uint64_t now_ns) {
  const auto pass = breaker_.try_pass(now_ns);
  if (!pass) return refuse(*copy.fetch, now_ns);
  ++counts_.retries;
  send(copy, *pass, now_ns);
}

bool Attempts::has_time(const Fetch& fetch, uint64_t now_ns) {
  const uint64_t ms = std::min(fetch.request.timeout_ms, fetch.request.left_ms);
  return ms_left(ms, now_ns - fetch.began_ns) > 0;
}

// A fetch that still waits for a connection is not hedged: its copy would wait, too.
void Attempts::try_hedge(Fetch& fetch, uint64_t now_ns) {
  const HttpClient::Fetch* const first = fetch.copies[0].sent;
  if (first == nullptr || !HttpClient::is_sent(*first) || fetch.answering != nullptr) return;
  if (breaker_.is_open() || !has_time(fetch, now_ns)) return;
  if (!hedge_budget_.try_take()) return wait(fetch, kInWant, now_ns);
  ++counts_.hedges;
  send(fetch.copies[1], breaker_.try_pass(now_ns).value(), now_ns);
}

// Only a fetch that begins adds to the budget.
void Attempts::hedge_one_in_want(uint64_t now_ns) {
  const auto waiting = due_.lower_bound(kInWant);
  if (waiting == due_.end() || !hedge_budget_.has_token()) return;
  Fetch& fetch = *waiting->second;
  stop_waiting(fetch);
  try_hedge(fetch, now_ns);
}

void Attempts::adapt_limit(const Copy& copy, uint64_t took_ns, uint64_t now_ns) {
  if (limits_.empty()) return;
  HttpClient& client = *clients_[url_of(copy.choice)];
  AdaptiveLimit& limit = limits_[url_of(copy.choice)];
  limit.set_max(client.capacity());
  limit.on_end(took_ns, client.in_flight() - client.waiting() + 1, now_ns);
  client.set_limit(limit.limit());
}

// Tells the budget, the balancer and the breaker.
void Attempts::end_attempt(Copy& copy, Outcome outcome, std::string_view reason, uint64_t took_ns,
                           uint64_t now_ns) {
  if (std::exchange(copy.is_retry, false)) retry_budget_.on_end();
  if (outcome == Outcome::kCutOff) {
    hedge_delay_.on_cut_off(took_ns);
    return balancer_.on_cut_off(copy.choice, took_ns, now_ns);
  }
  const bool is_answer = outcome == Outcome::kAnswer;
  if (is_answer) hedge_delay_.on_answer(took_ns);
  if (is_answer || reason == "timeout") adapt_limit(copy, took_ns, now_ns);
  const Change its = is_answer ? balancer_.on_answer(copy.choice, took_ns, now_ns)
                               : balancer_.on_failure(copy.choice, took_ns, now_ns);
  if (its == Change::kOpened) {
    log(Level::kWarning, "address_ejected",
        {{"upstream", options_.name}, {"address", address_of(copy.choice)}, {"reason", reason}});
  } else if (its == Change::kClosed) {
    log(Level::kInfo, "address_returned",
        {{"upstream", options_.name}, {"address", address_of(copy.choice)}});
  }
  if (!options_.has_breaker) return;
  const Change all = is_answer ? breaker_.on_answer(copy.pass, took_ns, now_ns)
                               : breaker_.on_failure(copy.pass, took_ns, now_ns);
  if (all == Change::kOpened) {
    ++counts_.breaker_opened;
    log(Level::kWarning, "breaker_opened", {{"upstream", options_.name}, {"reason", reason}});
  } else if (all == Change::kClosed) {
    log(Level::kInfo, "breaker_closed",
        {{"upstream", options_.name}, {"open_ms", (now_ns - breaker_.opened_ns()) / kNsPerMs}});
  }
}

void Attempts::cancel(Fetch* fetch, bool is_late) {
  const uint64_t now = now_ns();
  for (Copy& copy : fetch->copies) {
    if (copy.sent != nullptr) cut_off(copy, is_late, now);
  }
  recycle(*fetch);
}

void Attempts::share_turn(Fetch* fetch, const void* client) {
  for (const Copy& copy : fetch->copies) {
    if (copy.sent != nullptr) clients_[url_of(copy.choice)]->share_turn(copy.sent, client);
  }
}

void Attempts::cut_off(Copy& copy, bool is_late, uint64_t now_ns) {
  const uint64_t took_ns = HttpClient::sent_for_ns(*copy.sent, now_ns);
  clients_[url_of(copy.choice)]->cancel(std::exchange(copy.sent, nullptr));
  const Outcome outcome =
      is_late ? outcome_of("timeout", took_ns, now_ns - copy.fetch->began_ns) : Outcome::kCutOff;
  end_attempt(copy, outcome, "timeout", took_ns, now_ns);
}

void Attempts::wait(Fetch& fetch, uint64_t due_ns, uint64_t now_ns) {
  fetch.due = due_.emplace(due_ns, &fetch);
  if (*fetch.due == due_.begin()) look_again(now_ns);
}

void Attempts::stop_waiting(Fetch& fetch) {
  if (fetch.due) due_.erase(*std::exchange(fetch.due, std::nullopt));
}

void Attempts::look_again(uint64_t now_ns) {
  const uint64_t next_ns = due_.begin()->first;
  const uint64_t ms = next_ns <= now_ns ? 0 : (next_ns - now_ns) / kNsPerMs + 1;
  uv_timer_start(
      timer_.get(), [](uv_timer_t* timer) { static_cast<Attempts*>(timer->data)->look_at_due(); },
      ms, 0);
}

// on_done may start and cancel fetches of this upstream.
void Attempts::look_at_due() {
  const uint64_t now = now_ns();
  while (!due_.empty() && due_.begin()->first <= now) {
    Fetch& fetch = *due_.begin()->second;
    stop_waiting(fetch);
    if (fetch.tried == 0) {
      refuse(fetch, now);
    } else if (fetch.is_sent()) {
      try_hedge(fetch, now);
    } else {
      repeat(*std::ranges::find(fetch.copies, true, &Copy::is_retry), now);
    }
  }
  if (!due_.empty()) look_again(now);
}

// The breaker lets no attempt of the fetch pass.
void Attempts::refuse(Fetch& fetch, uint64_t now_ns) {
  const uint64_t took_ns = fetch.failure ? now_ns - fetch.began_ns : 0;
  Failure failure =
      std::move(fetch.failure)
          .value_or(
              Failure{"breaker_open",
                      fmt::format("upstream {}: not asked, since its last fetches have failed",
                                  options_.name)});
  failure.retry_after_ms = (breaker_.is_open() ? breaker_.wait_ns(now_ns) : 0) / kNsPerMs + 1;
  const auto done = std::move(fetch.request.on_done);
  recycle(fetch);
  done(std::move(failure), took_ns);
}

void Attempts::recycle(Fetch& fetch) {
  stop_waiting(fetch);
  for (const Copy& copy : fetch.copies)
    if (copy.is_retry) retry_budget_.on_end();  // the retry was never sent
  const size_t at = fetch.at;
  fetch = {};
  std::swap(busy_[at], busy_.back());
  busy_[at]->at = at;
  // Keeps as many as there may be connections, and frees those of a burst.
  if (idle_.size() < options_.connections) idle_.push_back(std::move(busy_.back()));
  busy_.pop_back();
}

}  // namespace ringmaster::upstream
