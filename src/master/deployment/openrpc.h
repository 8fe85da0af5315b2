// make_openrpc(): the server's methods as an OpenRPC 1.2.6 document, the answer to rpc.discover.
//
// A method's params are those of its first handler that declares some, and those that fetch steps
// use, which are required. Its result is that of the last step's handler. If the last step is the
// only run step, its handler's examples are the method's; an example that lacks one of the params
// that fetch steps require is left out. A method's summary is the configuration's, else the last
// step's handler's.
// Source: https://spec.open-rpc.org; descriptions of handlers: include/ringmaster/handler.h.
#pragma once

#include <string>
#include <vector>

#include "config/options.h"

namespace ringmaster::master {

// JSON in one line. `descriptions`: of the handlers, in their order; empty: the handler has none.
// They come from the fork server, which runs handlers' code: invalid parts are left out.
// `addresses`: see Frontend::addresses().
std::string make_openrpc(const Options& options, const std::vector<std::string>& descriptions,
                         const std::vector<std::string>& addresses);

}  // namespace ringmaster::master
