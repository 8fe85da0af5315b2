// make_openrpc(): the server's methods as an OpenRPC 1.2.6 document, the answer to rpc.discover.
//
// A method's params are those of its first handler that declares some, and those that fetch steps
// use, which are required. Its result is that of the last step's handler. If its last step is its
// only run step, its examples are that handler's, but only those with the params that fetch steps
// use. Its summary is the configuration's, else that of the last step's handler.
// Source: https://spec.open-rpc.org; descriptions of handlers: include/ringmaster/handler.h.
#pragma once

#include <string>
#include <vector>

#include "config/options.h"

namespace ringmaster::master {

// JSON in one line. `descriptions`: of the handlers, in their order, empty where one has none. The
// fork server, which runs handlers' code, sent them: invalid parts are left out. `addresses`: see
// Frontend::addresses().
std::string make_openrpc(const Options& options, const std::vector<std::string>& descriptions,
                         const std::vector<std::string>& addresses);

}  // namespace ringmaster::master
