// Answer: the response to one request, with its delay. The body is made piece by piece, so that the
// longest body takes as much memory as the shortest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "demo/feature_service/faults.h"
#include "demo/feature_service/users.h"

namespace ringmaster::feature_service {

// {"user_id":42,"events":[{"category":"sports","ts":1700000000},...]}
class EventList {
 public:
  EventList(uint64_t user_id, Events events) : user_id_(user_id), events_(events) {}

  // Appends about `size` bytes more of the text. False: the text is complete.
  bool append_piece(std::string& out, size_t size);

 private:
  uint64_t user_id_;
  Events events_;
  bool has_begun_ = false;
  std::optional<Event> ahead_;  // drawn, but not written yet
};

struct Answer {
  unsigned status = 200;
  std::string text;                 // the body, if there are no `events`
  std::optional<EventList> events;  // the body
  Fate fate{};                      // kFail and kGarbage have changed the body already

  // Like EventList::append_piece().
  bool append_piece(std::string& out, size_t size);
};

// {"error": what}
Answer error_answer(unsigned status, const std::string& what);

}  // namespace ringmaster::feature_service
