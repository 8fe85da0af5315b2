// The result ring: the input is a script of a worker's writes and of the master's reads.
//
// Whatever the worker writes, even between peek() and pop(), the reader stays within the ring, and
// frees nothing after damage. As long as the worker damages nothing, each result comes out once, in
// order.
#include <algorithm>
#include <deque>
#include <fuzzer/FuzzedDataProvider.h>
#include <string>

#include "fuzz.h"
#include "guarded_memory.h"
#include "ipc/result_ring.h"

namespace ringmaster::ipc {
namespace {

constexpr size_t kResultBytes = 1000;

struct Expected {
  Publication id;
  int32_t code;
  std::string bytes;
};

class Play {
 public:
  Play(std::span<std::byte> region, FuzzedDataProvider& script)
      : script_(script), region_(region), reader_(region), writer_(region) {}

  void run() {
    while (script_.remaining_bytes() > 0) {
      if (script_.ConsumeIntegralInRange(0, 3) == 0) {
        look();
      } else {
        act();
      }
    }
    while (is_honest_ && !expected_.empty())
      look();
  }

 private:
  ResultRingWords& words() const { return *reinterpret_cast<ResultRingWords*>(region_.data()); }
  std::span<std::byte> data() const { return region_.subspan(sizeof(ResultRingWords)); }

  // The worker writes a result, or damages the ring. After damage it writes no more results: a
  // worker may lose its own results by its damage.
  void act() {
    const int what = script_.ConsumeIntegralInRange(0, 9);
    if (what > 3 && is_honest_) return write();
    is_honest_ = false;
    switch (what % 4) {
      case 0:
        words().tail = words().tail + 32 * script_.ConsumeIntegralInRange(-40, 300);
        break;
      case 1:
        words().tail = script_.ConsumeIntegral<uint64_t>();
        words().head = script_.ConsumeIntegral<uint64_t>();
        break;
      case 2: {
        const size_t at = 32 * script_.ConsumeIntegralInRange<size_t>(0, data().size() / 32 - 1);
        const RecordHeader header{script_.ConsumeBool() ? script_.ConsumeIntegral<uint32_t>()
                                                        : script_.ConsumeIntegral<uint8_t>(),
                                  script_.ConsumeBool() ? kSkip : 1, 1, 0, 0};
        std::memcpy(data().data() + at, &header, sizeof header);
        break;
      }
      default: {
        const size_t at = script_.ConsumeIntegralInRange<size_t>(0, data().size() - 1);
        const auto noise = script_.ConsumeBytes<uint8_t>(std::min<size_t>(data().size() - at, 64));
        if (!noise.empty()) std::memcpy(data().data() + at, noise.data(), noise.size());
      }
    }
  }

  void write() {
    const auto size = script_.ConsumeIntegralInRange<size_t>(0, kResultBytes);
    const auto less = script_.ConsumeIntegralInRange<size_t>(0, size);
    char* room = writer_.try_reserve(size);
    if (room == nullptr) {
      RM_ASSERT(!expected_.empty());  // an empty ring has room for the longest result
      return;
    }
    RM_ASSERT(fuzz::is_inside({room, size}, text()));
    const Publication id{script_.ConsumeIntegralInRange(0u, kJobSlotsMax - 1), ++sequence_};
    std::memset(room, static_cast<int>('a' + sequence_ % 26), size);
    expected_.push_back({id, script_.ConsumeIntegral<int32_t>(), std::string(room, less)});
    writer_.commit(id, expected_.back().code, less, 0);
  }

  // The master takes one record.
  void look() {
    const uint64_t head = words().head;
    const Result<std::optional<ResultReader::Record>> record = reader_.peek();
    if (is_honest_) RM_ASSERT(record && record->has_value() == !expected_.empty());
    if (!record) {
      RM_ASSERT(!is_honest_ && !record.error().message.empty());
      const uint64_t stored = words().head;
      reader_.pop();  // frees nothing: no record was read
      RM_ASSERT(!reader_.peek() && (words().head == stored || stored == head));
    } else if (*record) {
      check(**record);
      if (script_.ConsumeBool()) act();
      RM_ASSERT(fuzz::is_inside((*record)->bytes, text()));
      reader_.pop();
    } else {
      RM_ASSERT(reader_.was_empty());
    }
  }

  void check(const ResultReader::Record& record) {
    RM_ASSERT(fuzz::is_inside(record.bytes, text()));
    const std::string bytes(record.bytes);  // touches all of it
    if (!is_honest_) return;
    const Expected& expected = expected_.front();
    RM_ASSERT(record.id == expected.id && record.code == expected.code);
    RM_ASSERT(bytes == expected.bytes);
    expected_.pop_front();
  }

  std::string_view text() const {
    return {reinterpret_cast<const char*>(data().data()), data().size()};
  }

  FuzzedDataProvider& script_;
  std::span<std::byte> region_;
  ResultReader reader_;
  ResultWriter writer_;
  bool is_honest_ = true;
  uint32_t sequence_ = 0;
  std::deque<Expected> expected_;
};

}  // namespace
}  // namespace ringmaster::ipc

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringmaster;
  static test::GuardedMemory memory(ipc::result_region_bytes(ipc::kResultBytes));
  std::ranges::fill(memory.bytes(), std::byte{0});
  FuzzedDataProvider script(data, size);
  ipc::Play(memory.bytes(), script).run();
  return 0;
}
