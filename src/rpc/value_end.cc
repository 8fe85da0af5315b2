#include "rpc/value_end.h"

#include <array>
#include <bit>
#include <utility>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/json/find_byte.h"

namespace ringmaster::rpc {
namespace {

// Bytes outside of strings that the search for a value's end ignores. They come in short runs, for
// which a table is faster than find_byte().
constexpr auto kPlain = [] {
  std::array<bool, 256> plain{};
  plain.fill(true);
  for (const char c : {'"', '{', '}', '[', ']', '\n'})
    plain[static_cast<size_t>(c)] = false;
  return plain;
}();

// The first byte that matters to the search, in a string or outside.
const char* find_special(const char* at, const char* end, bool is_in_string) {
  if (is_in_string) {
    return find_byte(at, end, [](auto c) { return c == '"' || c == '\\' || c == '\n'; });
  }
  while (at != end && kPlain[static_cast<unsigned char>(*at)])
    ++at;
  return at;
}

bool closes(char c) {
  return c == '}' || c == ']';
}

#if defined(__SSE2__)
// The bytes of a block that matter: bit i stands for byte i.
struct Marks {
  uint64_t quotes = 0;
  uint64_t backslashes = 0;
  uint64_t opening = 0;
  uint64_t closing = 0;
  uint64_t lines = 0;
};

Marks marks_of(const char* block) {
  Marks marks;
  for (size_t i = 0; i < ValueEnd::kBlockBytes; i += sizeof(__m128i)) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + i));
    const __m128i braces = _mm_or_si128(bytes, _mm_set1_epi8(0x20));  // turns [] into {}
    const auto mark = [i](__m128i among, char c) {
      const int bits = _mm_movemask_epi8(_mm_cmpeq_epi8(among, _mm_set1_epi8(c)));
      return static_cast<uint64_t>(bits) << i;
    };
    marks.quotes |= mark(bytes, '"');
    marks.backslashes |= mark(bytes, '\\');
    marks.opening |= mark(braces, '{');
    marks.closing |= mark(braces, '}');
    marks.lines |= mark(bytes, '\n');
  }
  return marks;
}

// Bit i: whether byte i follows a backslash that is not itself escaped. `is_escaped`: the block's
// first byte is; then whether the next block's is.
uint64_t find_escaped(uint64_t backslashes, bool& is_escaped) {
  if (backslashes == 0) return std::exchange(is_escaped, false);
  // As simdjson does: an addition carries over each run of backslashes, from its first to the byte
  // behind it. A run escapes every second byte, counted from its begin.
  constexpr uint64_t kEven = 0x5555555555555555;
  backslashes &= ~uint64_t{is_escaped};
  const uint64_t behind = backslashes << 1 | uint64_t{is_escaped};
  const uint64_t odd_begins = backslashes & ~kEven & ~behind;
  const uint64_t ends = odd_begins + backslashes;
  is_escaped = ends < backslashes;
  return (kEven ^ ends << 1) & behind;
}

// Bit i: whether an odd number of the bits 0 to i is set.
uint64_t parities(uint64_t bits) {
  for (int shift = 1; shift < 64; shift *= 2)
    bits ^= bits << shift;
  return bits;
}
#endif

}  // namespace

ValueEnd::Found ValueEnd::find(std::string_view input, size_t& pos, bool ends_at_line) {
  Found found = Found::kNothing;
  while (found == Found::kNothing && pos < input.size()) {
    found = find_in_blocks(input, pos, ends_at_line);
    if (found == Found::kNothing)
      found = find_by_bytes(input.substr(0, pos + kBlockBytes), pos, ends_at_line);
  }
  return found;
}

// Stops before a block with a backslash outside of strings, and before the input's last bytes.
ValueEnd::Found ValueEnd::find_in_blocks([[maybe_unused]] std::string_view input,
                                         [[maybe_unused]] size_t& pos,
                                         [[maybe_unused]] bool ends_at_line) {
#if defined(__SSE2__)
  while (input.size() - pos >= kBlockBytes) {
    const Marks marks = marks_of(input.data() + pos);
    bool is_next_escaped = is_escaped_;
    const uint64_t quotes = marks.quotes & ~find_escaped(marks.backslashes, is_next_escaped);
    const uint64_t in_string = parities(quotes) ^ (is_in_string_ ? ~uint64_t{0} : 0);
    if ((marks.backslashes & ~in_string) != 0) break;  // no JSON
    is_escaped_ = is_next_escaped;
    if (is_in_string_ && (marks.quotes | marks.backslashes | marks.lines) == 0) {  // a long string
      const char* const end = input.data() + input.size();
      pos = static_cast<size_t>(find_special(input.data() + pos + kBlockBytes, end, true) -
                                input.data());
      continue;
    }
    // The place of the line end that stops the search. 64: the block has none.
    const int line = ends_at_line ? std::countr_zero(marks.lines) : 64;
    const uint64_t searched = line == 64 ? ~uint64_t{0} : (uint64_t{1} << line) - 1;
    const uint64_t opening = marks.opening & ~in_string & searched;
    const uint64_t closing = marks.closing & ~in_string & searched;
    for (uint64_t brackets = opening | closing; brackets != 0; brackets &= brackets - 1) {
      const uint64_t first = brackets & -brackets;
      if ((opening & first) != 0) {
        ++depth_;
      } else if (--depth_ == 0) {
        pos += static_cast<size_t>(std::countr_zero(first)) + 1;
        return Found::kEnd;
      }
    }
    if (line < 64) {
      is_in_string_ = (in_string >> line & 1) != 0;
      pos += static_cast<size_t>(line) + 1;
      return Found::kLineEnd;
    }
    is_in_string_ = in_string >> 63 != 0;
    pos += kBlockBytes;
  }
#endif
  return Found::kNothing;
}

ValueEnd::Found ValueEnd::find_by_bytes(std::string_view input, size_t& pos, bool ends_at_line) {
  while (pos < input.size()) {
    if (!is_escaped_) {
      const char* const end = input.data() + input.size();
      pos =
          static_cast<size_t>(find_special(input.data() + pos, end, is_in_string_) - input.data());
      if (pos == input.size()) break;
    }
    const char c = input[pos++];
    if (c == '\n' && ends_at_line) return Found::kLineEnd;
    if (is_escaped_) {
      is_escaped_ = false;
    } else if (c == '"') {
      is_in_string_ = !is_in_string_;
    } else if (is_in_string_) {
      is_escaped_ = c == '\\';
    } else if (opens_value(c)) {
      ++depth_;
    } else if (closes(c) && --depth_ == 0) {
      return Found::kEnd;
    }
  }
  return Found::kNothing;
}

}  // namespace ringmaster::rpc
