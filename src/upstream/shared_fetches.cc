#include "upstream/shared_fetches.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/clock.h"
#include "upstream/fetch_failure.h"
#include "upstream/request_key.h"

namespace ringmaster::upstream {

struct SharedFetches::Fetch {
  HttpClient::Request request;  // if it leads a flight, only its callbacks are left
  Sharing sharing = Sharing::kMiss;
  bool came_later = false;  // the flight was under way when the fetch came
  uint64_t began_ns = 0;
  uint64_t timeout_ns = 0;  // when the fetch fails
  Flight* flight = nullptr;
  std::list<Fetch>::iterator place;
  Timeouts::iterator timeout;
};

struct SharedFetches::Flight {
  KeyedHash key;
  std::list<Fetch> fetches;           // that wait for it
  std::shared_ptr<Answer> made;       // the answer as far as it has come
  SharedAnswer answer;                // null until the flight is ready
  Attempts::Fetch* source = nullptr;  // the fetch from the upstream; null: none
  bool is_refresh = false;            // goes on without a fetch
  bool is_late = false;               // counts as a timeout if it is cancelled now: see cancel()
  uint64_t asked_ns = 0;
  uint64_t timeout_ns = 0;
  uint64_t took_ns = 0;
  uint64_t buffered = 0;
  Flights::iterator place;
};

namespace {

constexpr uint64_t kBufferBytes = 64 << 20;
constexpr uint64_t kBodiesMin = 4;
constexpr uint64_t kRefreshesMax = 1000;

// Moves all but the callbacks.
HttpClient::Request take_request(HttpClient::Request& from) {
  HttpClient::Request taken = std::move(from);
  from.on_bytes = std::exchange(taken.on_bytes, nullptr);
  from.on_done = std::exchange(taken.on_done, nullptr);
  return taken;
}

Sharing sharing_from_cache(const AnswerCache::Found& found) {
  return found.is_fresh ? Sharing::kHit : Sharing::kStale;
}

uint64_t ms_to(uint64_t at_ns, uint64_t now_ns) {
  return at_ns <= now_ns ? 0 : (at_ns - now_ns + kNsPerMs - 1) / kNsPerMs;
}

}  // namespace

uint64_t SharedFetches::buffer_bytes_max(const UpstreamOptions& options) {
  return std::max(kBufferBytes, kBodiesMin * options.body_bytes);
}

SharedFetches::SharedFetches(const UpstreamOptions& options, Source source)
    : options_(options), source_(std::move(source)), kept_(std::make_shared<Kept>(options.cache)) {}

SharedFetches::~SharedFetches() = default;

Sharing SharedFetches::sharing_of(const Fetch& fetch) {
  return fetch.sharing;
}

void SharedFetches::adopt(const SharedFetches& before) {
  kept_ = before.kept_;
}

SharedFetches::Fetch* SharedFetches::start(HttpClient::Request request, uint64_t now_ns) {
  const KeyedHash key = key_of(request);
  const auto open = open_.find(key);
  AnswerCache::Found found = kept_->cache.find(key, now_ns);
  const bool is_answered = found.is_fresh || found.may_revalidate;
  kept_->asked.add(is_answered ? 0 : 1);
  if (is_answered) {
    if (!found.is_fresh && open == open_.end() && refreshes_ < kRefreshesMax) {
      ++refreshes_;
      Flight& refresh = add_flight(asking_, key);
      refresh.is_refresh = true;
      HttpClient::Request asked = take_request(request);
      asked.left_ms = asked.timeout_ms;  // the refresh may outlast the job
      ask(refresh, std::move(asked), now_ns);
    }
    const Sharing sharing = sharing_from_cache(found);
    Flight& ready = add_ready(key, std::move(found.answer));
    source_.wake();
    return add(ready, std::move(request), sharing, now_ns);
  }
  if (options_.coalesce && open != open_.end()) {
    Flight& flight = *open->second;
    if (flight.source != nullptr) source_.share_turn(flight.source, request.client);
    Fetch* fetch = add(flight, std::move(request), Sharing::kCoalesced, now_ns);
    fetch->came_later = true;
    return fetch;
  }
  Flight& flight = add_flight(asking_, key);
  Fetch* fetch = add(flight, std::move(request), Sharing::kMiss, now_ns);
  ask(flight, now_ns);
  return fetch;
}

SharedFetches::Fetch* SharedFetches::add(Flight& flight, HttpClient::Request request,
                                         Sharing sharing, uint64_t now_ns) {
  Fetch& fetch = flight.fetches.emplace_back();
  fetch.place = std::prev(flight.fetches.end());
  fetch.flight = &flight;
  fetch.sharing = sharing;
  fetch.began_ns = now_ns;
  fetch.timeout_ns = now_ns + request.timeout_ms * kNsPerMs;
  fetch.request = std::move(request);
  fetch.timeout = timeouts_.end();
  if (flight.source != nullptr && fetch.timeout_ns < flight.timeout_ns)
    fetch.timeout = timeouts_.emplace(fetch.timeout_ns, &fetch);
  return &fetch;
}

SharedFetches::Flight& SharedFetches::add_flight(Flights& to, const KeyedHash& key) {
  Flight& flight = to.emplace_back();
  flight.place = std::prev(to.end());
  flight.key = key;
  return flight;
}

SharedFetches::Flight& SharedFetches::add_ready(const KeyedHash& key, SharedAnswer answer) {
  Flight& flight = add_flight(ready_, key);
  flight.answer = std::move(answer);
  return flight;
}

void SharedFetches::ask(Flight& flight, uint64_t now_ns) {
  Fetch& leader = flight.fetches.front();
  const uint64_t waited_ms = (now_ns - leader.began_ns) / kNsPerMs;
  HttpClient::Request request = take_request(leader.request);
  request.left_ms -= std::min(request.left_ms, waited_ms);
  // The upstream learns when the leader's answer is needed; the flight may last for longer.
  request.left_ms = std::min(request.left_ms, ms_to(leader.timeout_ns, now_ns));
  uint64_t last_ns = 0;
  for (const Fetch& fetch : flight.fetches)
    last_ns = std::max(last_ns, fetch.timeout_ns);
  request.timeout_ms = std::max<uint64_t>(ms_to(last_ns, now_ns), 1);
  ask(flight, std::move(request), now_ns);
  for (Fetch& fetch : flight.fetches) {
    if (fetch.timeout_ns < last_ns) fetch.timeout = timeouts_.emplace(fetch.timeout_ns, &fetch);
  }
}

void SharedFetches::ask(Flight& flight, HttpClient::Request request, uint64_t now_ns) {
  flight.made = std::make_shared<Answer>();
  flight.asked_ns = now_ns;
  flight.timeout_ns = now_ns + request.timeout_ms * kNsPerMs;
  request.on_bytes = [this, &flight](std::string_view bytes, uint64_t expected) {
    return take_bytes(flight, bytes, expected);
  };
  request.on_done = [this, &flight](std::optional<HttpClient::Failure> failure, uint64_t took_ns) {
    on_ended(flight, std::move(failure), took_ns);
  };
  flight.source = source_.start(std::move(request));
  open_.try_emplace(flight.key, &flight);
}

bool SharedFetches::take_bytes(Flight& flight, std::string_view bytes, uint64_t expected) {
  std::string& body = flight.made->body;
  const uint64_t needed = std::max<uint64_t>(body.size() + bytes.size(), expected);
  const uint64_t room =
      needed <= body.capacity() ? body.capacity() : std::max<uint64_t>(needed, 2 * body.capacity());
  if (buffer_bytes_ - flight.buffered + room > buffer_bytes_max(options_)) return false;
  body.reserve(room);
  body += bytes;
  set_buffered(flight, body.capacity());
  return true;
}

void SharedFetches::set_buffered(Flight& flight, uint64_t bytes) {
  buffer_bytes_ += bytes - flight.buffered;
  flight.buffered = bytes;
}

void SharedFetches::on_ended(Flight& flight, std::optional<HttpClient::Failure> failure,
                             uint64_t took_ns) {
  if (failure) {
    std::string().swap(flight.made->body);
    set_buffered(flight, 0);
    if (failure->reason == "no_memory") {
      failure->message = fmt::format(
          "upstream {}: no memory left for its body: responses under way that several "
          "requests may get have at most {} bytes",
          options_.name, buffer_bytes_max(options_));
    }
  }
  flight.made->failure = std::move(failure);
  flight.took_ns = took_ns;
  flight.source = nullptr;
  if (flight.is_refresh) --refreshes_;
  ended_.splice(ended_.end(), asking_, flight.place);
  source_.wake();
}

void SharedFetches::cancel(Fetch* fetch, bool is_late, uint64_t now_ns) {
  Flight& flight = *fetch->flight;
  const auto age_ns = static_cast<double>(now_ns - flight.asked_ns);
  const bool is_old = !fetch->came_later || age_ns >= answered_ns_.mean();
  flight.is_late |= is_late && is_old;
  forget_timeout(*fetch);
  flight.fetches.erase(fetch->place);
  cancel_if_unused(flight);
}

void SharedFetches::cancel_if_unused(Flight& flight) {
  if (!flight.fetches.empty() || flight.source == nullptr || flight.is_refresh) return;
  source_.cancel(flight.source, flight.is_late);
  close(flight);
  erase(asking_, flight);
}

uint64_t SharedFetches::next_timeout_ns() const {
  return timeouts_.empty() ? UINT64_MAX : timeouts_.begin()->first;
}

void SharedFetches::turn(uint64_t now_ns) {
  while (!ended_.empty())
    settle(ended_.front(), now_ns);
  time_out(now_ns);
  uint64_t bytes = 0;
  while (!ready_.empty()) {
    Flight& flight = ready_.front();
    if (flight.fetches.empty()) {
      erase(ready_, flight);
      continue;
    }
    if (bytes >= kTurnBytes) return source_.wake();
    bytes += kFetchBytes + flight.answer->body.size();
    answer_next(flight, now_ns);
  }
  if (is_due()) source_.wake();
}

void SharedFetches::time_out(uint64_t now_ns) {
  while (next_timeout_ns() <= now_ns) {
    Fetch& fetch = *timeouts_.begin()->second;
    Flight& flight = *fetch.flight;
    forget_timeout(fetch);
    AnswerCache::Found found = kept_->cache.find(flight.key, now_ns);
    if (found.replaces_failure) {
      fetch.sharing = sharing_from_cache(found);
    } else {
      auto failed = std::make_shared<Answer>();
      failed->failure = timed_out(options_, ms_to(fetch.timeout_ns, fetch.began_ns));
      found.answer = std::move(failed);
    }
    Flight& ready = add_ready(flight.key, std::move(found.answer));
    ready.took_ns = now_ns - fetch.began_ns;
    ready.fetches.splice(ready.fetches.end(), flight.fetches, fetch.place);
    fetch.flight = &ready;
    flight.is_late = true;
    cancel_if_unused(flight);
  }
}

void SharedFetches::settle(Flight& flight, uint64_t now_ns) {
  close(flight);
  for (Fetch& fetch : flight.fetches)
    forget_timeout(fetch);
  flight.answer = std::move(flight.made);
  if (flight.answer->is_decision()) {
    answered_ns_.add(static_cast<double>(now_ns - flight.asked_ns));
    kept_->cache.put(flight.key, flight.answer, now_ns);
  } else if (AnswerCache::Found found = kept_->cache.find(flight.key, now_ns);
             found.replaces_failure) {
    const Sharing sharing = sharing_from_cache(found);
    flight.answer = std::move(found.answer);
    for (Fetch& fetch : flight.fetches)
      fetch.sharing = sharing;
  } else {
    try_again(flight, now_ns);
  }
  ready_.splice(ready_.end(), ended_, flight.place);
}

// Asks again for the fetches that came after the failed flight had begun.
void SharedFetches::try_again(Flight& failed, uint64_t now_ns) {
  if (std::ranges::none_of(failed.fetches, &Fetch::came_later)) return;
  Flight& next = add_flight(asking_, failed.key);
  for (auto at = failed.fetches.begin(); at != failed.fetches.end();) {
    const auto fetch = at++;
    if (!fetch->came_later) continue;
    fetch->came_later = false;
    fetch->flight = &next;
    next.fetches.splice(next.fetches.end(), failed.fetches, fetch);
  }
  next.fetches.front().sharing = Sharing::kMiss;
  ask(next, now_ns);
}

// The fetch is out of its flight before it is told, since it may cancel others.
void SharedFetches::answer_next(Flight& flight, uint64_t now_ns) {
  std::list<Fetch> told;
  told.splice(told.end(), flight.fetches, flight.fetches.begin());
  const Fetch& fetch = told.front();
  ++kept_->counts[static_cast<size_t>(fetch.sharing)];
  std::optional<HttpClient::Failure> failure = flight.answer->failure;
  const std::string& body = flight.answer->body;
  if (!failure && !body.empty() && !fetch.request.on_bytes(body, body.size())) {
    failure = refused_body(options_, "no_memory");
  }
  const bool is_coalesced = fetch.sharing == Sharing::kCoalesced;
  fetch.request.on_done(std::move(failure),
                        is_coalesced ? now_ns - fetch.began_ns : flight.took_ns);
}

// From now on no fetch joins the flight.
void SharedFetches::close(Flight& flight) {
  const auto open = open_.find(flight.key);
  if (open != open_.end() && open->second == &flight) open_.erase(open);
}

void SharedFetches::erase(Flights& from, Flight& flight) {
  set_buffered(flight, 0);
  from.erase(flight.place);
}

void SharedFetches::forget_timeout(Fetch& fetch) {
  if (fetch.timeout != timeouts_.end())
    timeouts_.erase(std::exchange(fetch.timeout, timeouts_.end()));
}

}  // namespace ringmaster::upstream
