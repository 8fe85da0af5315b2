// Ticket: a job's own name, from its admission to its end. No other process ever sees it.
#pragma once

#include <cstdint>

namespace ringmaster::master {

// A slot of the job table, and the number of the request. Each request that the master admits, or
// tries to admit, has a number of its own, also over reloads. So no ticket comes twice. The log
// names requests by this number.
struct Ticket {
  uint32_t slot = 0;
  uint64_t request = 0;
  bool operator==(const Ticket&) const = default;
};

}  // namespace ringmaster::master
