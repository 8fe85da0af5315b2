#include "ipc/result_ring.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <fmt/format.h>
#include <unistd.h>
#include <utility>

#include "base/assert.h"

namespace ringmaster::ipc {
namespace {

// While the reader keeps up, the writer uses only this many bytes at the start of the ring: their
// pages stay in the cache, and no others are allocated.
constexpr uint64_t kWarmBytes = 256 << 10;

constexpr uint64_t record_length(uint64_t size) {
  constexpr uint64_t kAlignment = alignof(RecordHeader);
  return (sizeof(RecordHeader) + size + kAlignment - 1) / kAlignment * kAlignment;
}

ResultRingWords& words_of(std::span<std::byte> region) {
  return *reinterpret_cast<ResultRingWords*>(region.data());
}

void write_header(std::byte* at, const RecordHeader& header) {
  std::memcpy(at, &header, sizeof header);
}

// Reads each word once. In a plain copy the compiler may read a word twice, and a damaged worker
// may write between the two reads.
RecordHeader read_header(std::byte* at) {
  std::array<uint64_t, sizeof(RecordHeader) / sizeof(uint64_t)> words{};
  for (uint64_t& word : words) {
    word = std::atomic_ref(*reinterpret_cast<uint64_t*>(at)).load(std::memory_order_relaxed);
    at += sizeof word;
  }
  return std::bit_cast<RecordHeader>(words);
}

}  // namespace

size_t result_region_bytes(size_t result_bytes) {
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t bytes = sizeof(ResultRingWords) + 2 * record_length(result_bytes);
  return (bytes + page - 1) / page * page;
}

ResultWriter::ResultWriter(std::span<std::byte> region)
    : words_(words_of(region)),
      data_(region.subspan(sizeof(ResultRingWords))),
      tail_(words_.tail.load(std::memory_order_relaxed)) {}

char* ResultWriter::try_reserve(size_t size) {
  const uint64_t need = record_length(size);
  const uint64_t offset = tail_ % data_.size();
  const uint64_t to_end = data_.size() - offset;
  const uint64_t head = words_.head.load(std::memory_order_acquire);
  const uint64_t free = data_.size() - (tail_ - head);
  const bool is_cold = head == tail_ && offset > kWarmBytes && need <= offset;
  const uint64_t skip = to_end < need || is_cold ? to_end : 0;
  if (skip + need > free) return nullptr;
  if (skip > 0) {
    write_header(at(tail_), {static_cast<uint32_t>(skip - sizeof(RecordHeader)), kSkip, 0, 0, 0});
  }
  record_ = tail_ + skip;
  reserved_ = size;
  return reinterpret_cast<char*>(at(record_)) + sizeof(RecordHeader);
}

void ResultWriter::commit(Publication id, int32_t code, size_t size, uint64_t run_ns,
                          uint64_t cpu_ns) {
  RM_ASSERT(reserved_ && size <= *reserved_);
  reserved_.reset();
  write_header(at(record_),
               {static_cast<uint32_t>(size), id.job, id.sequence, code, run_ns, cpu_ns});
  tail_ = record_ + record_length(size);
  words_.tail.store(tail_, std::memory_order_seq_cst);
}

ResultReader::ResultReader(std::span<std::byte> region)
    : words_(words_of(region)),
      data_(region.subspan(sizeof(ResultRingWords))),
      head_(words_.head.load(std::memory_order_relaxed)) {}

Result<std::optional<ResultReader::Record>> ResultReader::peek() {
  for (;;) {
    const uint64_t tail = words_.tail.load(std::memory_order_seq_cst);
    if (tail == head_) return std::nullopt;
    const uint64_t offset = head_ % data_.size();
    const uint64_t there = std::min<uint64_t>(tail - head_, data_.size() - offset);
    RecordHeader header{};
    uint64_t length = 0;
    if (tail - head_ <= data_.size() && tail % alignof(RecordHeader) == 0) {
      header = read_header(data_.data() + offset);
      length = record_length(header.size);
    }
    peeked_ = length <= there ? length : 0;
    if (peeked_ == 0) {
      return fail(ExitCode::kInternal,
                  fmt::format("damaged results: tail {}, head {}, a record of {} bytes", tail,
                              head_, header.size));
    }
    if (header.job == kSkip) {
      // A skip is valid only at the end of the ring: else a damaged worker could keep this loop
      // busy for ever.
      if (offset == 0 || peeked_ != data_.size() - offset) {
        const uint64_t skipped = std::exchange(peeked_, 0);  // 0: a later pop() frees nothing
        return fail(ExitCode::kInternal,
                    fmt::format("damaged results: {} bytes skipped at {}", skipped, offset));
      }
      pop();
      continue;
    }
    const char* bytes = reinterpret_cast<const char*>(data_.data() + offset) + sizeof header;
    return Record{{header.job, header.sequence},
                  header.code,
                  header.run_ns,
                  header.cpu_ns,
                  {bytes, header.size}};
  }
}

void ResultReader::pop() {
  head_ += std::exchange(peeked_, 0);
  words_.head.store(head_, std::memory_order_release);
}

void ResultReader::reset() {
  head_ = 0;
  words_.head.store(0, std::memory_order_release);
  words_.tail.store(0, std::memory_order_release);
}

}  // namespace ringmaster::ipc
