#include "demo/feature_service/users.h"

namespace ringmaster::feature_service {
namespace {

constexpr int64_t kFirstDay = 1'700'000'000;
constexpr uint32_t kSecondsPerDay = 86'400;
constexpr uint32_t kGapSecondsMax = 120;

}  // namespace

Events::Events(uint64_t user_id, std::span<const uint8_t> session, std::optional<uint64_t> count)
    : session_(session), chain_(user_id), times_(user_id, 2) {
  ts_ = kFirstDay + times_.below(kSecondsPerDay);
  // Drawn even if unused, so that a user's pages are the same with any event count.
  const uint64_t natural = session.empty() ? chain_.draw_length() : session.size();
  count_ = count.value_or(natural);
}

std::optional<Event> Events::next() {
  if (index_ == count_) return std::nullopt;
  if (index_ > 0) ts_ += 1 + times_.below(kGapSecondsMax);
  const uint64_t index = index_++;
  return Event{session_.empty() ? chain_.next() : session_[index % session_.size()], ts_};
}

std::optional<Events> Users::events_of(uint64_t user_id,
                                       std::optional<uint64_t> event_count) const {
  if (user_id < 1 || user_id > count()) return std::nullopt;
  std::span<const uint8_t> session;
  if (sessions_) session = sessions_->at(user_id - 1);
  return Events(user_id, session, event_count);
}

}  // namespace ringmaster::feature_service
