// EventRing: the newest events, each with a number of its own.
//
// Numbers count from 1. A reader keeps the number of the next event that it wants. If the ring has
// overwritten that event, first() says which event is the oldest now.
// Pure; one thread. Memory: kSlots records, 3 MiB.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/telemetry/event.h"

namespace ringmaster::telemetry {

class EventRing {
 public:
  static constexpr size_t kSlots = size_t{1} << 16;
  static constexpr size_t kCapacity = kSlots - 1;  // one is spare: see take_back()

  EventRing() : events_(std::make_unique<Event[]>(kSlots)) {}

  // Returns the event's number.
  uint64_t append(const Event& event) {
    events_[next_ % kSlots] = event;
    return next_++;
  }
  // Forgets the newest event: the next one gets its number. The ring still has all other events,
  // because the forgotten one lay in the spare slot.
  void take_back() { --next_; }
  // The numbers of the events that are there: [first(), next()).
  uint64_t first() const { return next_ > kCapacity ? next_ - kCapacity : 1; }
  uint64_t next() const { return next_; }
  bool has(uint64_t number) const { return number >= first() && number < next_; }
  // REQUIRES: has(number).
  const Event& at(uint64_t number) const { return events_[number % kSlots]; }

  // The events that the ring still has of one request, oldest first, from number `since` on. `last`
  // is the number of the request's last event. Empty: the ring has none of them any more.
  std::vector<Event> story(uint64_t last, uint64_t since = 1) const {
    std::vector<Event> events;
    for (uint64_t number = last; number >= since && has(number); number = at(number).previous)
      events.push_back(at(number));
    std::reverse(events.begin(), events.end());
    return events;
  }

 private:
  std::unique_ptr<Event[]> events_;
  uint64_t next_ = 1;
};

}  // namespace ringmaster::telemetry
