// Users: the users and their events, the pages that they have looked at.
//
// Events are drawn one by one, so that a million of them cost no memory. A user has the same events
// in every process and on every machine. The data has no times, so they are invented: a session
// begins at some second of the day from 1,700,000,000 (14 November 2023) on, and its pages are 1 to
// 120 seconds apart.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "demo/feature_service/chain.h"
#include "demo/feature_service/random.h"
#include "demo/feature_service/sessions.h"

namespace ringmaster::feature_service {

inline constexpr uint64_t kChainUserMax = 1'000'000;  // without a file: the last user's id

struct Event {
  uint8_t category;  // index into kCategories
  int64_t ts;        // seconds since 1970
};

// One user's events, oldest first. Value type; must not outlive its Users.
class Events {
 public:
  // Returns nothing after the last event.
  std::optional<Event> next();

 private:
  friend class Users;
  Events(uint64_t user_id, std::span<const uint8_t> session, std::optional<uint64_t> count);

  std::span<const uint8_t> session_;  // empty: the user comes from the chain
  Chain chain_;
  Random times_;
  int64_t ts_ = 0;
  uint64_t index_ = 0;
  uint64_t count_;
};

class Users {
 public:
  Users() = default;  // drawn from the chain
  explicit Users(Sessions sessions) : sessions_(std::move(sessions)) {}

  // User ids are 1 to count().
  uint64_t count() const { return sessions_ ? sessions_->count() : kChainUserMax; }

  // Nothing for an unknown user. With `event_count` every user has that many events: a session is
  // cut or repeated; a chain goes on.
  std::optional<Events> events_of(uint64_t user_id, std::optional<uint64_t> event_count = {}) const;

 private:
  std::optional<Sessions> sessions_;
};

}  // namespace ringmaster::feature_service
