#include "master/lifecycle/fd_limit.h"

#include <algorithm>
#include <fmt/format.h>
#include <sys/resource.h>

#include "base/log.h"
#include "master/admin/admin_server.h"
#include "master/deployment/deployment.h"
#include "master/deployment/rollout.h"
#include "master/frontend/frontend.h"
#include "master/tracing/trace_exporter.h"
#include "upstream/attempts.h"

namespace ringmaster::master {
namespace {

// The configuration that serves, and kFormerMax others: former ones that finish their requests, or
// the next one while it starts.
constexpr uint64_t kConfigurations = 1 + Rollout::kFormerMax;

// Each configuration needs these for a generation: its memories, bell, channel and output.
constexpr uint64_t kOfGeneration = 8;

// Event loop and log (10), listeners (8), spawning a generation (8), libcurl's resolver (8) and 14
// to spare, besides the connections that are refused with an error.
constexpr uint64_t kOwnDescriptors = 48 + Frontend::kToldMax;

uint64_t others(const Options& options) {
  uint64_t sum = kOwnDescriptors;
  sum += TraceExporter::descriptors_max(options.telemetry);
  if (!options.listen_status.empty()) sum += AdminServer::kConnectionsMax + 1;
  // One socket for each worker's output.
  uint64_t each = kOfGeneration + Deployment::worker_count(options);
  for (const upstream::UpstreamOptions& upstream : options.upstreams)
    each += upstream::Attempts::descriptors_max(upstream);
  return sum + kConfigurations * each;
}

}  // namespace

uint64_t connections_allowed(const Options& options, uint64_t descriptors) {
  const uint64_t taken = others(options);
  return descriptors <= taken ? 0 : std::min(options.limits.connections, descriptors - taken);
}

Status fit_to_descriptors(Options& options) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return fail_errno("getrlimit NOFILE", errno);
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return fail_errno("setrlimit NOFILE", errno);
  const uint64_t allowed = connections_allowed(options, limit.rlim_cur);
  if (allowed == 0) {
    return fail(ExitCode::kResource,
                fmt::format("descriptors: expected more than {}, for the connections of all "
                            "[upstreams] and the server itself, found {}: raise LimitNOFILE "
                            "(ulimit -n)",
                            others(options), limit.rlim_cur));
  }
  if (allowed < options.limits.connections) {
    log(Level::kWarning, "fewer_connections",
        {{"connections", allowed},
         {"configured", options.limits.connections},
         {"descriptors", limit.rlim_cur}});
  }
  options.limits.connections = allowed;
  return {};
}

}  // namespace ringmaster::master
