// make_openrpc(): what the server offers, as an OpenRPC 1.2.6 document: the answer to rpc.discover.
//
// A method is what its steps make of it. Its params are those of the first handler that declares
// some, and those that fetch steps take from the request, which are required. Its result is that of
// the last step's handler. Its examples are shown where one handler made all of it, and where they
// have the params that fetch steps take. Its summary is the configuration's, else that handler's.
// Source: https://spec.open-rpc.org; what a handler can say: include/ringmaster/handler.h.
#pragma once

#include <string>
#include <vector>

#include "config/options.h"

namespace ringmaster::master {

// JSON in one line. `descriptions`: of the handlers, in their order, empty where one has none. They
// come from a process that has run handlers' code: what is not as it should be is left out.
// `addresses`: as Frontend::addresses() has them.
std::string make_openrpc(const Options& options, const std::vector<std::string>& descriptions,
                         const std::vector<std::string>& addresses);

}  // namespace ringmaster::master
