#include "base/telemetry/stories.h"

#include <algorithm>
#include <unordered_map>

namespace ringmaster::telemetry {

std::vector<Story> recent_stories(const EventRing& ring, uint64_t since, size_t requests_max) {
  std::vector<Story> stories;  // newest first, and so are their events
  std::unordered_map<uint64_t, size_t> places;
  for (uint64_t number = ring.next(); number > std::max(ring.first(), since); --number) {
    const Event& event = ring.at(number - 1);
    if (event.request == 0) continue;
    const auto found = places.find(event.request);
    if (found != places.end()) {
      stories[found->second].push_back(event);
    } else if (stories.size() < requests_max) {
      places.emplace(event.request, stories.size());
      stories.push_back({event});
    }
  }
  std::reverse(stories.begin(), stories.end());
  for (Story& story : stories)
    std::reverse(story.begin(), story.end());
  return stories;
}

}  // namespace ringmaster::telemetry
