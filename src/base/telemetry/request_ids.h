// RequestIds: the ids that clients gave to their recent requests (the `id` of JSON-RPC).
//
// Pure; one thread. Cost: a copy of at most kBytesMax bytes. Memory: kSlots records, 768 KiB.
// Limits: the newest kSlots requests, as many as the event ring has whole stories of. An id is kept
//         as the client wrote it, and cut after kBytesMax: a UUID in quotes fits.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace ringmaster::telemetry {

class RequestIds {
 public:
  static constexpr size_t kSlots = size_t{1} << 14;
  static constexpr size_t kBytesMax = 39;
  static constexpr std::string_view kCut = "\u2026";  // the end of an id that was cut

  RequestIds() : slots_(std::make_unique<Slot[]>(kSlots)) {}

  // `request`: its number, which counts upwards.
  void note(uint64_t request, std::string_view id) {
    Slot& slot = slots_[request % kSlots];
    slot.request = request;
    const std::string_view cut = id.size() > kBytesMax ? kCut : "";
    const size_t copied = id.copy(slot.text.data(), kBytesMax - cut.size());
    slot.size = static_cast<uint8_t>(copied + cut.copy(slot.text.data() + copied, cut.size()));
  }
  // Valid until the next note(). Empty: the request had no id, or is too old.
  std::string_view id_of(uint64_t request) const {
    const Slot& slot = slots_[request % kSlots];
    return slot.request == request ? std::string_view(slot.text.data(), slot.size) : "";
  }

 private:
  struct Slot {
    uint64_t request = 0;
    uint8_t size = 0;
    std::array<char, kBytesMax> text;
  };
  static_assert(sizeof(Slot) == 48);

  std::unique_ptr<Slot[]> slots_;
};

}  // namespace ringmaster::telemetry
