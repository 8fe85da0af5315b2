// The load in the files of `ringmaster trace`, for `ringmaster plan --from`.
//
// A trace has the newest requests: those since otherData.since_us are all there (see
// master/admin/trace_json.h), and only those count. A trace of kept requests is an error: it has
// the slow and the failed requests of some hours, and a few of the others.
// Rates: of the requests that were admitted since then. A trace has no refused requests.
// Times: of the requests that ended since then. Their histograms have bounds 4.4 % apart.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cli/plan_source.h"

namespace ringmaster::cli {

// The load of all traces together, each of another server. Fails (64), and names the file, if a
// file is no trace of recent requests, or if no request got a result.
Result<MeasuredLoad> read_traces(const std::vector<std::string>& paths);

// What a server did in the time of its trace.
Result<Watched> watched_in(std::string_view trace);

}  // namespace ringmaster::cli
