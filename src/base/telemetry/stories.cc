#include "base/telemetry/stories.h"

#include <algorithm>
#include <unordered_set>

namespace ringmaster::telemetry {

std::vector<Story> recent_stories(const EventRing& ring, uint64_t since, size_t requests_max) {
  since = std::max(ring.first(), since);
  std::vector<Story> stories;  // newest first
  std::unordered_set<uint64_t> requests;
  for (uint64_t number = ring.next(); number > since && stories.size() < requests_max; --number) {
    const Event& event = ring.at(number - 1);
    if (event.request == 0 || !requests.insert(event.request).second) continue;
    stories.push_back(ring.story(number - 1, since));
  }
  std::reverse(stories.begin(), stories.end());
  return stories;
}

}  // namespace ringmaster::telemetry
