// The state of the server and the counts of its events as one JSON object, for the status page and
// `ringmaster top`. All counts grow from the master's start: a reader takes the differences of two
// answers. docs/inside.md lists the members; a test checks the list.
//
//   {"now_ns":…,"version":"0.1.0","status":"serving: …","ready":true,…,
//    "bounds_ms":[0.25,…],
//    "methods":{"score":{"admitted":…,"ok":…,"abandoned":…,"lost":…,
//                        "errors":[{"code":-32009,"reason":"too_late","count":3}],
//                        "deadline_misses":{"fetch":0,"queue":2,"run":0},
//                        "total":H,"queue":H,"run":H,"fetch":{"users":{"took":H,"failed":{…}}}}},
//    "workers":[…],"clients":[…],"upstreams":[…],"deployments":[…],"worker_ends":{"SIGSEGV":1}}
//   H: {"sum_ms":…,"counts":[…]}: one count for each bound, and one for all that is longer
#pragma once

#include <string>

#include "base/telemetry/recorder.h"
#include "master/admin/server_state.h"

namespace ringmaster::master {

std::string status_json(const ServerState& state, const telemetry::Recorder& recorder);

}  // namespace ringmaster::master
