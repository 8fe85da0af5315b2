// agent_line(): the answer to HAProxy's agent-check, without its line end.
//
// Pure.
#pragma once

#include <optional>
#include <string>

namespace ringmaster::master {

// `idle`: the part of the workers' time that was free lately; empty: the server is not ready, so it
// must get no new requests ("drain"). "up ready 73%" undoes that, and sets the server's weight to
// 73 % of the configured one. At least 1 %: at 0 % HAProxy would send nothing.
std::string agent_line(std::optional<double> idle);

}  // namespace ringmaster::master
