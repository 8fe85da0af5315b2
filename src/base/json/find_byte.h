// find_byte(): the first byte of a certain kind, by vector comparisons.
//
// `is_wanted` takes one byte, or a vector of bytes: a generic lambda with comparisons and ||. Bytes
// are signed: the bytes of a non-ASCII character are negative.
#pragma once

#include <experimental/simd>

namespace ringmaster {

// Returns the byte's place; `end`: there is none.
template <class IsWanted>
const char* find_byte(const char* at, const char* end, IsWanted is_wanted) {
  using Bytes = std::experimental::native_simd<signed char>;
  for (; end - at >= static_cast<ptrdiff_t>(Bytes::size()); at += Bytes::size()) {
    const Bytes bytes(reinterpret_cast<const signed char*>(at), std::experimental::element_aligned);
    const auto wanted = is_wanted(bytes);
    if (any_of(wanted)) return at + find_first_set(wanted);
  }
  while (at != end && !is_wanted(static_cast<signed char>(*at)))
    ++at;
  return at;
}

}  // namespace ringmaster
