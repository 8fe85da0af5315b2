// ByteBuffer: a buffer of bytes to append to, with room behind them to write into directly.
//
// Unlike std::vector<char>, it does not zero the room, and a large buffer grows by moving its
// pages, not its bytes: realloc(3).
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string_view>

namespace ringmaster {

class ByteBuffer {
 public:
  std::string_view view() const { return {data_.get(), size_}; }
  size_t size() const { return size_; }
  bool is_empty() const { return size_ == 0; }
  size_t capacity() const { return capacity_; }

  // The free room behind the bytes, not zeroed: write into it, then commit().
  std::span<char> room() const { return {data_.get() + size_, capacity_ - size_}; }
  void commit(size_t bytes) { size_ += bytes; }

  void reserve(size_t capacity) {
    if (capacity <= capacity_) return;
    char* grown = static_cast<char*>(std::realloc(data_.get(), capacity));
    if (grown == nullptr) throw std::bad_alloc();
    [[maybe_unused]] char* const moved = data_.release();
    data_.reset(grown);
    capacity_ = capacity;
  }
  // REQUIRES: the room is large enough.
  void append(std::string_view bytes) {
    if (!bytes.empty()) std::memcpy(data_.get() + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
  }

  // Removes the bytes; frees the memory if it is more than `kept_bytes`.
  void clear(size_t kept_bytes) {
    size_ = 0;
    if (capacity_ <= kept_bytes) return;
    data_.reset();
    capacity_ = 0;
  }

 private:
  struct Free {
    void operator()(char* data) const { std::free(data); }
  };

  std::unique_ptr<char, Free> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace ringmaster
