// The options of `ringmaster plan`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace CLI {
class App;
}

namespace ringmaster::cli {

// "4": four. "+1", "-1": one more, or one fewer, than there are. Empty: as many as there are.
struct CountChange {
  std::string text;
  int64_t value = 0;

  bool is_given() const { return !text.empty(); }
  bool is_relative() const { return is_given() && (text[0] == '+' || text[0] == '-'); }
  size_t applied_to(size_t count) const {
    if (!is_given()) return count;
    return static_cast<size_t>(is_relative() ? static_cast<int64_t>(count) + value : value);
  }
};

struct PlanOptions {
  // The load; 0: not given.
  double rps = 0;
  double cpu_ms = 0;
  double cpu_cv = 0;
  double io_ms = 0;
  double p99_ms = 0;  // the promise
  // Or: the load of these running servers, measured for `seconds`, or that of these traces.
  std::vector<std::string> from;
  bool is_traced = false;  // `from` has files
  double seconds = 10;

  uint64_t cores_per_node = 8;
  CountChange workers;  // of each node
  CountChange nodes;
  std::string load;  // a factor such as "2x"; empty: 1
  double load_factor = 1;
  double io_add_ms = 0;
  uint64_t at_once = 0;  // 0: as the traces have it, else 1
  double timeout_ms = 1000;
  uint64_t payload_bytes = 16 << 10;
  bool simulate = false;
  uint64_t seed = 1;
  bool json = false;
};

// Adds the options to the command.
void describe_plan(CLI::App& app, PlanOptions& options);

// Reads the values that CLI11 cannot read, such as +1 and 2x, and checks that all fit together.
[[nodiscard]] Status finish_plan(PlanOptions& options);

}  // namespace ringmaster::cli
