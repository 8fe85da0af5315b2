// Shared by the fuzzers. Each fuzzer is a program of its own: libFuzzer feeds it inputs, keeps
// those that reach new code, and reports an input that crashes, leaks, hangs or breaks an
// RM_ASSERT.
//
// A fuzzer keeps no state from one input to the next: the file that libFuzzer saves must fail
// alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace ringmaster::fuzz {

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Whether `part` lies in `whole`; an empty one may lie anywhere.
inline bool is_inside(std::string_view part, std::string_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

// Returns the size of the next piece of a stream.
using NextSize = std::function<size_t()>;

// Sizes of pieces, most of them small, that depend on the input alone.
inline NextSize sizes_for(std::string_view input) {
  return [state = static_cast<uint32_t>(std::hash<std::string_view>{}(input))]() mutable {
    state = state * 1664525 + 1013904223;
    return size_t{1} << (state >> 29);
  };
}

inline NextSize whole(std::string_view input) {
  return [size = input.size()] { return size; };
}

}  // namespace ringmaster::fuzz
