// KeptRequests: the stories of slow and failed requests, by method and by class of latency.
//
// The ring forgets a request within seconds. Here the newest kPerClass requests of each class stay,
// so a slow request of an hour ago is still there, however many fast ones came after it.
// Pure; one thread. Cost: at most one request of a class is kept in kGapNs; the others cost a
// comparison. Memory: kPerClass stories for each method and class.
// Source: the latency classes of golang.org/x/net/trace.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/telemetry/event.h"
#include "base/telemetry/event_ring.h"
#include "base/telemetry/stories.h"

namespace ringmaster::telemetry {

class KeptRequests {
 public:
  // The lowest time of each class. The last class, beyond these, is that of failed requests.
  static constexpr std::array<uint64_t, 9> kFromNs = {0,
                                                      50'000'000,
                                                      100'000'000,
                                                      200'000'000,
                                                      500'000'000,
                                                      1'000'000'000,
                                                      2'000'000'000,
                                                      5'000'000'000,
                                                      10'000'000'000};
  static constexpr size_t kClasses = kFromNs.size() + 1;
  static constexpr size_t kFailed = kFromNs.size();
  static constexpr size_t kPerClass = 10;
  static constexpr uint64_t kGapNs = 20'000'000;

  // A request has ended with the event `end`; `number` is that event's number, `id` the client's.
  void consider(const Event& end, uint64_t number, const EventRing& ring, std::string_view id) {
    const size_t method = end.method;
    if (method >= methods_.size()) methods_.resize(method + 1);
    Class& kept = methods_[method][class_of(end)];
    if (end.at_ns < kept.next_ns) return;
    kept.next_ns = end.at_ns + kGapNs;
    if (kept.requests.size() == kPerClass) kept.requests.erase(kept.requests.begin());
    kept.requests.emplace_back(ring.story(number), id);
  }

  static size_t class_of(const Event& end) {
    if (end.code != 0) return kFailed;
    size_t found = 0;
    while (found + 1 < kFromNs.size() && end.took_ns >= kFromNs[found + 1])
      ++found;
    return found;
  }

  // visit(size_t class, const Story&, std::string_view id), for all methods, the oldest of a class
  // first.
  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& classes : methods_) {
      for (size_t i = 0; i < kClasses; ++i) {
        for (const auto& [story, id] : classes[i].requests)
          visit(i, story, id);
      }
    }
  }

 private:
  struct Class {
    uint64_t next_ns = 0;                                 // until then no request is kept
    std::vector<std::pair<Story, std::string>> requests;  // with their ids; oldest first
  };

  std::vector<std::array<Class, kClasses>> methods_;  // by NameId
};

}  // namespace ringmaster::telemetry
