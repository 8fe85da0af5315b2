// What may happen to a client's records on their way.
#pragma once

#include <algorithm>
#include <fuzzer/FuzzedDataProvider.h>
#include <string>
#include <vector>

#include "fuzz.h"

namespace ringmaster::fuzz {

// What damage() has done. The loss of the last record is not noticed: the record may still come.
enum class TlsDamage : uint8_t { kNone, kNoticeable, kLoss };

// Where each record begins, and where the last one ends. REQUIRES: whole records.
inline std::vector<size_t> record_starts(std::string_view records) {
  std::vector<size_t> starts{0};
  while (starts.back() < records.size()) {
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(records[starts.back() + i]); };
    starts.push_back(starts.back() + 5 + (byte(3) << 8 | byte(4)));
  }
  RM_ASSERT(starts.back() == records.size());
  return starts;
}

// Flips, drops, doubles, moves or inserts something: records, mostly, or bytes.
inline TlsDamage damage(FuzzedDataProvider& script, std::string& records) {
  const std::vector<size_t> starts = record_starts(records);
  size_t at = script.ConsumeIntegralInRange<size_t>(0, records.size() - 1);
  if (script.ConsumeBool()) at = starts[at % (starts.size() - 1)];
  const size_t end = *std::upper_bound(starts.begin(), starts.end(), at);
  size_t size = end - at;
  if (script.ConsumeBool()) size = script.ConsumeIntegralInRange<size_t>(1, size);
  switch (script.ConsumeIntegralInRange(0, 4)) {
    case 0:
      records[at] = static_cast<char>(records[at] ^ script.ConsumeIntegralInRange(1, 255));
      return TlsDamage::kNoticeable;
    case 1:
      records.erase(at, size);
      return TlsDamage::kLoss;
    case 2:
      records.insert(at, records.substr(at, size));
      return TlsDamage::kNoticeable;
    case 3:
      std::rotate(records.begin() + static_cast<ptrdiff_t>(at),
                  records.begin() + static_cast<ptrdiff_t>(at + size), records.end());
      return TlsDamage::kNoticeable;
    default:
      records.insert(at, script.ConsumeRandomLengthString(64));
      return TlsDamage::kNoticeable;
  }
}

}  // namespace ringmaster::fuzz
