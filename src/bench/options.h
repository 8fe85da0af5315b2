// What a load is: whom it asks, what, and how often.
#pragma once

#include <cstdint>
#include <string>

#include "bench/arrivals.h"

namespace ringmaster::bench {

struct Options {
  std::string address;    // "HOST:PORT" or "unix:PATH"
  std::string http_path;  // empty: JSON values, one a line; else POST to this path
  std::string token;      // empty: none is shown
  std::string method;
  std::string params;  // JSON, or empty; every $i in it becomes the request's number, from 1
  uint64_t connections = 1;

  // Open loop: requests start at these times, whatever becomes of those before. 0: closed loop.
  double rate = 0;
  Arrivals::Kind arrivals = Arrivals::Kind::kPoisson;
  uint64_t seed = 1;
  // Closed loop: this many requests at once, a new one as soon as one is answered.
  uint64_t concurrency = 1;

  double warm_up_s = 1;    // what starts then is sent and answered, but not counted
  double duration_s = 10;  // what starts then is counted
  double in_time_ms = 0;   // results that took no longer are counted as in time; 0: all are
  double drain_s = 10;     // how long answers are waited for after that; then they are lost
};

}  // namespace ringmaster::bench
