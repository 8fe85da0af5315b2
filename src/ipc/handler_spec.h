// HandlerSpec: which handler the fork server loads, and with which options. The master reads it
// from the configuration and sends it over the control channel, without `batch`, which is in each
// job's header.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ringmaster::ipc {

struct HandlerSpec {
  std::string name;          // as methods refer to it: [handlers.NAME]
  std::string library = {};  // absolute path of the shared object
  std::vector<std::pair<std::string, std::string>> options = {};  // see rm_option in handler.h
  uint64_t batch = 1;  // the most jobs in one call of run(), up to kBatchMax
  bool debug = false;  // of [workers]: see rm_host in handler.h
};

}  // namespace ringmaster::ipc
