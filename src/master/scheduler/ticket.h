// Ticket: a job's own name, from its admission to its end. No other process ever sees it.
#pragma once

#include <cstdint>

namespace ringmaster::master {

// A slot of the job table, and the number of its use: no ticket comes twice.
struct Ticket {
  uint32_t slot = 0;
  uint64_t use = 0;
  bool operator==(const Ticket&) const = default;
};

}  // namespace ringmaster::master
