#include "master/supervisor/output_lines.h"

#include <doctest/doctest.h>
#include <string>
#include <vector>

namespace ringmaster::master {
namespace {

// The lines of an output, as "TEXT" or "TEXT+CUT".
struct Lines {
  OutputLines lines;
  std::vector<std::string> seen;

  auto emit() {
    return [this](std::string_view text, uint64_t cut) {
      seen.push_back(std::string(text) + (cut > 0 ? "+" + std::to_string(cut) : ""));
    };
  }
  void add(std::string_view bytes) { lines.add(bytes, emit()); }
  void flush() { lines.flush(emit()); }
};

}  // namespace

TEST_CASE("output lines: parts make a line, empty lines are left out") {
  Lines output;
  output.add("fir");
  CHECK(output.lines.has_begun());
  output.add("st\n\nsecond\r\nthi");
  CHECK(output.seen == std::vector<std::string>{"first", "second"});
  output.flush();
  output.flush();
  CHECK(output.seen == std::vector<std::string>{"first", "second", "thi"});
  CHECK(!output.lines.has_begun());
}

TEST_CASE("output lines: a line without end keeps its beginning, and counts the rest") {
  Lines output;
  for (int i = 0; i < 1000; ++i)
    output.add(std::string(4096, 'x'));
  output.add("\nnext\n");
  const size_t kept = OutputLines::kLineBytesMax;
  CHECK(output.seen ==
        std::vector<std::string>{std::string(kept, 'x') + "+" + std::to_string(1000 * 4096 - kept),
                                 "next"});
}

}  // namespace ringmaster::master
