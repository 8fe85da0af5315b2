// Options of a load: the server, the requests and their rate.
#pragma once

#include <cstdint>
#include <string>

#include "bench/arrivals.h"

namespace ringmaster::bench {

struct Options {
  std::string address;    // "HOST:PORT" or "unix:PATH"
  std::string http_path;  // empty: JSON values, one a line; else POST to this path
  std::string token;      // empty: none is sent
  std::string method;
  std::string params;  // JSON, or empty; every $i in it becomes the request's number, from 1
  uint64_t connections = 1;

  // Open loop: requests a second, independent of answers. 0: closed loop.
  double rate = 0;
  Arrivals::Kind arrivals = Arrivals::Kind::kPoisson;
  uint64_t seed = 1;
  // Closed loop: this many requests at once, a new one as soon as one is answered.
  uint64_t concurrency = 1;

  double warm_up_s = 1;    // requests that start in this time are sent but not counted
  double duration_s = 10;  // requests that start in this time are counted
  double in_time_ms = 0;   // the longest latency that counts as in time; 0: any
  double drain_s = 10;     // how long answers may come after duration_s; later ones are lost
};

}  // namespace ringmaster::bench
