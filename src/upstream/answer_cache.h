// AnswerCache: the answers of one upstream that may be used again. S3-FIFO (Yang et al., SOSP 2023)
// decides which of them are kept:
//
//   put() --> small, a tenth of the bytes --used twice--> main --not used since--> gone
//               '--else--> ghosts: keys only; put() again puts it into main <-'
//
// An answer that is asked for once passes through `small` and pushes out none of those in `main`.
//
// Pure; the master only. Time is an argument.
// Memory: at most CacheOptions::bytes, with what an entry needs besides its body. A fetch that got
//         an answer keeps it, also if the cache drops it.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/keyed_hash.h"
#include "upstream/http_client.h"
#include "upstream/options.h"

namespace ringmaster::upstream {

// What an upstream has answered: a body or a failure.
struct Answer {
  std::string body;
  std::optional<HttpClient::Failure> failure;

  // Whether the upstream has decided about the request: a success, or a status of 3xx or 4xx. Not
  // 408, 425 and 429, which ask for the same request later.
  bool is_decision() const;
  // Whether the upstream has said that there is nothing: 404 or 410.
  bool is_negative() const {
    return failure && (failure->reason == "http_404" || failure->reason == "http_410");
  }
};
using SharedAnswer = std::shared_ptr<const Answer>;

class AnswerCache {
 public:
  explicit AnswerCache(const CacheOptions& options) : options_(options) {}

  // A kept answer, and how it may be used. Null: there is none.
  struct Found {
    SharedAnswer answer;
    bool is_fresh = false;
    bool may_revalidate = false;    // the answer may be used while a fetch renews it
    bool replaces_failure = false;  // the answer may be used if a fetch ends without a decision
  };
  Found find(const KeyedHash& key, uint64_t now_ns);
  // Drops the former answer. Keeps this one if it is a success or negative, unless it is too large
  // or has no time to live. REQUIRES: a decision.
  void put(const KeyedHash& key, SharedAnswer answer, uint64_t now_ns);

  const CacheOptions& options() const { return options_; }
  uint64_t bytes() const { return bytes_[kSmall] + bytes_[kMain] + bytes_[kGhosts]; }
  // Answers that were dropped to make room.
  uint64_t evictions() const { return evictions_; }

 private:
  enum Queue : uint8_t { kSmall, kMain, kGhosts };
  struct Entry {
    KeyedHash key;
    SharedAnswer answer;  // null: in kGhosts
    uint64_t put_ns = 0;
    uint8_t uses = 0;  // since it came into its queue; at most kUsesMax
    Queue queue = kSmall;
  };
  using Entries = std::list<Entry>;

  uint64_t ttl_ms(const Answer& answer) const;
  bool is_kept(const Answer& answer) const;
  // Moves the entry to the end of queue `to`. `answer` null: only the key is left.
  void move(Entries::iterator entry, Queue to, SharedAnswer answer);
  void erase(Entries::iterator entry);
  void make_room();
  void evict();

  const CacheOptions options_;
  std::array<Entries, 3> queues_;    // by Queue, oldest first
  std::array<uint64_t, 3> bytes_{};  // of each queue
  std::unordered_map<KeyedHash, Entries::iterator, KeyedHash::Bucket> places_;
  uint64_t evictions_ = 0;
};

}  // namespace ringmaster::upstream
