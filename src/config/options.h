// Options: the checked configuration, with defaults filled in.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "base/secret.h"
#include "ipc/confinement.h"
#include "ipc/handler_spec.h"
#include "ipc/job_word.h"
#include "net/cidr.h"
#include "net/options.h"
#include "upstream/options.h"
#include "upstream/request_template.h"

namespace ringmaster::master {

// The most steps of a method: a job carries its params and the output of each step but the last.
inline constexpr size_t kMaxSteps = 8;

// The most workers: half of those that a ring's words can name; the other half is for spares.
inline constexpr uint64_t kWorkersMax = ipc::kWorkerSlotsMax / 2;

struct FetchStep {
  size_t upstream = 0;  // index into Options::upstreams
  upstream::RequestTemplate request = {};
  std::string name = {};          // later steps get its output under this name
  uint64_t timeout_ms = 0;        // 0: the upstream's
  bool is_optional = false;       // a failure gives null
  bool is_with_previous = false;  // begins together with the step before it, a fetch
};

struct RunStep {
  size_t handler = 0;     // index into Options::handlers
  uint64_t batch = 1;     // of that handler
  std::string name = {};  // later steps get its output under this name
};

using Step = std::variant<FetchStep, RunStep>;

inline bool is_run(const Step& step) {
  return std::holds_alternative<RunStep>(step);
}

struct Method {
  std::string name;
  std::string summary = {};  // for clients; empty: the handler's
  uint64_t timeout_ms = 1000;
  uint64_t attempts = 2;
  std::vector<Step> steps;   // 1 to kMaxSteps
  uint64_t concurrency = 0;  // 0: no limit
  uint64_t reserved_workers = 0;
  uint64_t slow_ms = 0;       // a job that takes longer is slow; 0: none is
  bool names_client = false;  // a template has ${client.name}
  bool rehearse = false;      // rehearsed even if attempts is 1
};

// A rehearsal runs jobs again and compares the answers of the method's last handler: see
// rehearsal/rehearsal.h.
inline bool is_rehearsable(const Method& method) {
  return (method.attempts > 1 || method.rehearse) && is_run(method.steps.back());
}

struct Token {
  std::string name;  // of the client that has it
  Secret secret;
};

struct Limits {
  uint64_t request_bytes = 16ull << 20;
  uint64_t response_bytes = 16ull << 20;
  uint64_t batch_items = 1000;
  uint64_t connections = 10000;
  uint64_t in_flight_per_connection = 1000;
  uint64_t requests_in_flight = 10000;
  uint64_t payload_memory_bytes = 256ull << 20;
  uint64_t connection_memory_bytes = 256ull << 20;
  uint64_t send_timeout_ms = 60'000;
  uint64_t idle_timeout_ms = 0;
};

// How the workers' time is shared: see share.h.
struct Fair {
  bool is_by_client = true;               // else all requests are one client's
  std::map<std::string, double> weights;  // by client; other clients have the weight 1
};

// Limits of the crash store, each for crashed jobs and once more for slow ones: see crash_store.h.
struct Crashes {
  std::string folder;  // empty: nothing is kept
  uint64_t count = 100;
  uint64_t total_bytes = 64ull << 20;
};

// A secret for templates: [secrets].
struct SecretSource {
  std::string file;  // empty: an environment variable
  std::string env;
  std::string text;  // never shown, and read again by a reload
};

// Traces for a collector: see trace_exporter.h.
struct Telemetry {
  std::string otlp;  // the URL; empty: none are sent
  std::string service = "ringmaster";
  uint64_t one_of = 100;
  uint64_t slow_ms = 1000;

  bool operator==(const Telemetry&) const = default;
};

// The options that `ringmaster dev` sets: see development.h.
struct Development {
  std::string file;                // each save of this file is a reload; empty: not in development
  std::vector<std::string> calls;  // the arguments of `ringmaster call` for each method
};

// Where `ringmaster serve` and `dev` listen, and where `call` and `bench` find a server.
inline constexpr char kDefaultRpcAddress[] = "127.0.0.1:7070";

struct Options {
  std::string config_file;  // for process titles and log lines
  std::vector<net::Address> listen_rpc = {kDefaultRpcAddress};
  net::Address listen_status = "127.0.0.1:7071";  // see admin_server.h; empty: none
  bool is_status_configured = false;              // false: if the address is in use, no status port
  bool worker_profile = true;                     // see tail_profile.h
  bool worker_debug = false;                      // also in each HandlerSpec
  std::vector<std::string> listen_origins = {};   // see http_policy.h
  std::vector<net::Cidr> allow;                   // clients allowed over TCP; none: all
  std::vector<net::Cidr> proxy_from;              // proxies: see proxied_streams.h
  std::string token_file;                         // empty: no token is required
  std::vector<Token> tokens;                      // the tokens in that file
  uint64_t connections_per_client = 0;            // 0: no limit; see client_table.h
  uint64_t connection_age_s = 0;                  // 0: no limit; see Session
  bool endpoint_load_metrics = false;             // in HTTP responses
  net::UnixAccess unix_access;
  net::TlsFiles tls;
  uint64_t worker_count = 0;  // 0: auto
  uint64_t start_timeout_ms = 60000;
  uint64_t worker_max_jobs = 0;        // 0: no limit
  uint64_t worker_max_rss_bytes = 0;   // 0: no limit
  std::string worker_user = "nobody";  // when the server is started as root
  ipc::Confinement confinement;        // of the workers; as root, with worker_user
  uint64_t shutdown_notice_ms = 0;
  uint64_t shutdown_grace_ms = 10000;
  uint64_t rehearse = 0;  // so many recent jobs of each method; 0: no rehearsal
  Limits limits;
  Fair fair;
  Crashes crashes;
  uint64_t access_log_every = 0;  // one line for so many requests; 0: no access log
  Telemetry telemetry;
  std::map<std::string, SecretSource> secrets;
  std::vector<upstream::UpstreamOptions> upstreams;
  std::vector<ipc::HandlerSpec> handlers;
  std::vector<Method> methods;
  Development development;
};

// Later steps get the step's output under this name.
inline const std::string& name_of(const Step& step) {
  return std::visit([](const auto& one) -> const std::string& { return one.name; }, step);
}

// The index behind the fetches that begin together with step `begin`; behind a run step: begin + 1.
inline size_t end_of_parallel(const Method& method, size_t begin) {
  size_t end = begin + 1;
  for (; end < method.steps.size(); ++end) {
    const auto* fetch = std::get_if<FetchStep>(&method.steps[end]);
    if (fetch == nullptr || !fetch->is_with_previous) break;
  }
  return end;
}

}  // namespace ringmaster::master
