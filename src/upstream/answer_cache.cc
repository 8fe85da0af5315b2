#include "upstream/answer_cache.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/assert.h"
#include "base/clock.h"

namespace ringmaster::upstream {
namespace {

constexpr uint8_t kUsesMax = 3;
// The part of the bytes that is for answers which were not used again yet.
constexpr uint64_t kSmallPart = 10;

// The memory of an entry besides its body: the nodes of a list and of a hash table with its bucket
// (80 + 48 + 8 bytes); an answer with its count (144 bytes), and what the allocator adds to a body.
constexpr uint64_t kKeyBytes = 136;
constexpr uint64_t kAnswerBytes = 160;

uint64_t cost_of(const SharedAnswer& answer) {
  return kKeyBytes + (answer == nullptr ? 0 : kAnswerBytes + answer->body.capacity());
}

}  // namespace

bool Answer::is_decision() const {
  if (!failure) return true;
  const std::string_view reason = failure->reason;
  if (reason == "http_408" || reason == "http_425" || reason == "http_429") return false;
  return reason.starts_with("http_3") || reason.starts_with("http_4");
}

uint64_t AnswerCache::ttl_ms(const Answer& answer) const {
  if (!answer.failure) return options_.ttl_ms;
  return answer.is_negative() ? options_.negative_ttl_ms : 0;
}

bool AnswerCache::is_kept(const Answer& answer) const {
  return ttl_ms(answer) > 0 || (!answer.failure && (options_.stale_while_revalidate_ms > 0 ||
                                                    options_.stale_if_error_ms > 0));
}

AnswerCache::Found AnswerCache::find(const KeyedHash& key, uint64_t now_ns) {
  const auto place = places_.find(key);
  if (place == places_.end() || place->second->queue == kGhosts) return {};
  Entry& entry = *place->second;
  const uint64_t age_ns = now_ns - std::min(entry.put_ns, now_ns);
  const uint64_t ttl = ttl_ms(*entry.answer);
  const auto is_within = [&](uint64_t more_ms) { return age_ns < (ttl + more_ms) * kNsPerMs; };
  Found found{entry.answer, is_within(0)};
  if (!entry.answer->failure) {
    found.may_revalidate = is_within(options_.stale_while_revalidate_ms);
    found.replaces_failure = is_within(options_.stale_if_error_ms);
  }
  if (!found.is_fresh && !found.may_revalidate && !found.replaces_failure) {
    erase(place->second);
    return {};
  }
  entry.uses = std::min<uint8_t>(entry.uses + 1, kUsesMax);
  return found;
}

void AnswerCache::put(const KeyedHash& key, SharedAnswer answer, uint64_t now_ns) {
  RM_ASSERT(answer->is_decision());
  auto place = places_.find(key);
  if (!is_kept(*answer) || cost_of(answer) > options_.bytes) {
    if (place != places_.end()) erase(place->second);
    return;
  }
  Queue to = kMain;  // for a ghost
  if (place == places_.end()) {
    const auto entry = queues_[kGhosts].insert(queues_[kGhosts].end(), Entry{key, nullptr});
    entry->queue = kGhosts;
    bytes_[kGhosts] += cost_of(nullptr);
    place = places_.emplace(key, entry).first;
    to = kSmall;
  } else if (place->second->queue != kGhosts) {
    to = place->second->queue;
  }
  place->second->put_ns = now_ns;
  move(place->second, to, std::move(answer));
  make_room();
}

void AnswerCache::move(Entries::iterator entry, Queue to, SharedAnswer answer) {
  bytes_[entry->queue] -= cost_of(entry->answer);
  queues_[to].splice(queues_[to].end(), queues_[entry->queue], entry);
  entry->queue = to;
  entry->answer = std::move(answer);
  bytes_[to] += cost_of(entry->answer);
}

void AnswerCache::erase(Entries::iterator entry) {
  bytes_[entry->queue] -= cost_of(entry->answer);
  places_.erase(entry->key);
  queues_[entry->queue].erase(entry);
}

void AnswerCache::make_room() {
  while (bytes() > options_.bytes) {
    // As many ghosts as answers, so that they are not forgotten before they can come back.
    if (queues_[kGhosts].size() > queues_[kSmall].size() + queues_[kMain].size()) {
      erase(queues_[kGhosts].begin());
    } else {
      evict();
    }
  }
}

// Drops the oldest answer of a queue or, if it was used, moves it to the end of `main`.
void AnswerCache::evict() {
  const bool is_small = bytes_[kSmall] > options_.bytes / kSmallPart || queues_[kMain].empty();
  const auto oldest = queues_[is_small ? kSmall : kMain].begin();
  const SharedAnswer answer = oldest->answer;
  if (is_small && oldest->uses > 1) {
    oldest->uses = 0;
    move(oldest, kMain, answer);
  } else if (is_small) {
    ++evictions_;
    move(oldest, kGhosts, nullptr);
  } else if (oldest->uses > 0) {
    --oldest->uses;
    move(oldest, kMain, answer);
  } else {
    ++evictions_;
    erase(oldest);
  }
}

}  // namespace ringmaster::upstream
