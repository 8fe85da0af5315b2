// Every key of the configuration file, with its type, its limits and its meaning. A new key is
// added here; keys_upstreams.h has the keys of upstreams.
//
// Reading, range checks, "did you mean", dump() and schema() all walk these tables. `make options`
// writes docs/configuration.md, conf/ringmaster.toml and the man page from schema(). A key that is
// a number needs only its entry here and its member in the options. A key of any other type is also
// read by its section's code (for example listen.cc), and written by dump.cc.
#pragma once

#include "config/key.h"
#include "config/keys_upstreams.h"
#include "config/options.h"
#include "ipc/job_word.h"

namespace ringmaster::config {

using ipc::HandlerSpec;
using master::Crashes;
using master::Fair;
using master::Limits;
using master::Method;
using master::Options;
using master::SecretSource;
using master::Telemetry;

// Read in listen.cc.
inline constexpr Key<Options> kListenKeys[] = {
    {"rpc",
     "Where clients connect. Sockets that systemd passes (ringmaster.socket) take precedence. The "
     "default accepts connections from this host only. Anyone who reaches an address may call "
     "every method, unless one of the keys below restricts it.",
     Type::kAddresses},
    {"origins",
     "The sites whose pages may call from a browser; calls from pages of other sites are refused "
     "(403). Only browsers send an origin, so this restricts no other program.",
     Type::kOrigins},
    {"allow",
     "The clients allowed over TCP; [] is all. Other connections are closed at once and logged. "
     "IPv4 ranges apply to IPv4 clients of an IPv6 socket, too.",
     Type::kRanges},
    {"proxy_from",
     "The addresses of load balancers. Each connection from one of these to a TCP address of "
     "`rpc` must begin with a header of the PROXY protocol, version 2 (HAProxy: `send-proxy-v2`), "
     "before any TLS. The header tells the client's address; `allow`, `connections_per_client`, "
     "shares and the log use it. List only balancers: the server believes their headers.",
     Type::kRanges},
    {"token_file",
     "A file of tokens, one a line, of at least 16 characters (`openssl rand -base64 24` prints "
     "one). A line is \"TOKEN\" or \"NAME TOKEN\"; NAME is the client's name in logs and in "
     "`weights`, and must be shorter than the token. Clients must send one of the tokens; \"\" "
     "asks for none. Without TLS a token can be read on the network.",
     Type::kOptionalPath},
    {"connections_per_client",
     "The most connections of one client at once; 0: only limits.connections is a limit. A "
     "further connection is answered with -32009 and closed. All clients behind a NAT count as "
     "one client, and so do those behind a load balancer that is not in `proxy_from`.",
     Type::kCount, 0, 1'000'000, &Options::connections_per_client},
    {"connection_age_s",
     "The age at which a connection is closed, between two requests; 0 is never. Each connection "
     "may get up to a quarter older, so that not all end together. HTTP clients are told with the "
     "last response (`Connection: close`). Others are not told: their connections are closed "
     "after a second without a request. Set it behind balancers, so that long connections spread "
     "over new servers.",
     Type::kCount, 0, 365 * 24 * 3600, &Options::connection_age_s},
    {"endpoint_load_metrics",
     "true: HTTP responses carry `endpoint-load-metrics: TEXT application_utilization=0.73`, the "
     "part of the workers' time that was in use lately, for balancers that weigh servers by it "
     "(ORCA: Envoy, gRPC).",
     Type::kFlag},
    {"tls_certificate_file",
     "The certificate for tls:// addresses, followed by intermediate certificates, in PEM. A "
     "reload reads it again, for new connections.",
     Type::kOptionalPath},
    {"tls_key_file",
     "The key of that certificate, in PEM. Keys of P-256 are the cheapest: a handshake takes 0.2 "
     "ms of the master's time. With RSA keys of 4096 bits it takes 4 ms.",
     Type::kOptionalPath},
    {"tls_client_ca_file",
     "A file of CAs, in PEM. TLS clients need a certificate that one of them has signed; \"\" "
     "asks for no certificate.",
     Type::kOptionalPath},
    {"tls_client_crl_file",
     "A file with a CRL of every CA in a client's chain, in PEM: the server refuses the "
     "certificates that these CRLs revoke; \"\" revokes none. It refuses all clients of a CA "
     "whose CRL has expired: replace the file and reload in time.",
     Type::kOptionalPath},
    {"unix_owner",
     "The user that owns the unix sockets; \"\" is the server's own user. For another user the "
     "server needs root or CAP_CHOWN.",
     Type::kOwner},
    {"unix_group", "The group that owns the unix sockets; \"\" is the server's own group.",
     Type::kOwner},
    {"unix_mode",
     "The mode of the unix sockets: its write bits say which users may connect. The umask does "
     "not change it. For sockets that systemd passes, ringmaster.socket sets the mode.",
     Type::kMode},
    {"status",
     "The status port, over HTTP: health checks (/livez, /readyz), the status page, /metrics, and "
     "the pages that `ringmaster reload`, `top` and `trace` use; \"\" turns the port off. `allow` "
     "and `token_file` do not apply. If this key is left out and another program uses the default "
     "address, the server starts without a status port and logs event=no_status_port.",
     Type::kAddress},
};

// The value of `sandbox` besides true and false.
inline constexpr std::string_view kBestEffort = "best-effort";
inline constexpr Key<Options> kWorkersKeys[] = {
    {"count",
     "How many processes run handlers. \"auto\" is the number of CPUs that the server may use. "
     "Take fewer to leave CPU to other programs, and more only for handlers that block.",
     Type::kCountOrAuto, 1, master::kWorkersMax, &Options::worker_count},
    {"start_timeout_ms",
     "How long a start or a reload may take until all workers are up; after that the start fails, "
     "or the reload fails and the former configuration serves on. Raise it for models that take "
     "long to load.",
     Type::kMs, 1, kHourMs, &Options::start_timeout_ms},
    {"sandbox",
     "Denies handlers the network, other programs and processes, other processes' memory, mounts "
     "and privileges. true needs Linux 5.19 with Landlock and seccomp; without them the server "
     "does not start. \"best-effort\" skips the steps that the system refuses, and logs "
     "event=sandbox_incomplete. Set false only for a handler that needs the denied things.",
     Type::kSandbox},
    {"user",
     "The workers' user when root starts the server; otherwise ignored. Handlers are loaded as "
     "root, before a worker changes to this user. \"root\" keeps root. A user for this server "
     "only is better than the default.",
     Type::kUser},
    {"max_jobs",
     "After how many jobs a worker is replaced; 0 is never. Each worker may run up to a quarter "
     "more, so that not all are replaced at once. Set it for handlers that leak.",
     Type::kCount, 0, kNoLimit, &Options::worker_max_jobs},
    {"max_rss_bytes",
     "How far a worker may grow from its start before it is replaced; 0 is no limit. Shared "
     "models do not count. Set it for handlers that leak.",
     Type::kBytes, 0, 64 * kGiB, &Options::worker_max_rss_bytes},
    {"spare",
     "true: one more process stands by, forked and confined, and takes the place of the next "
     "worker that ends. So the place is empty for a shorter time, above all with handlers in "
     "Python. Its memory is that of a worker without jobs.",
     Type::kFlag},
    {"profile",
     "Workers sample their own stacks at each 10 ms of CPU time, and /profile on the status port "
     "shows where slow jobs spend it. The signal (SIGRTMAX - 1) may interrupt a poll or sleep "
     "that is just beginning (EINTR): set false for handlers that do not try again.",
     Type::kFlag},
    {"debug",
     "true: when a handler in Python fails with an exception, clients get its traceback, at most "
     "8000 characters of it, as `details.traceback` in the error's `data`. A traceback tells of "
     "the code and its values: set it only while you develop.",
     Type::kFlag},
};

inline constexpr Key<Limits> kLimitsKeys[] = {
    {"request_bytes",
     "The longest message from a client. A longer one is answered with -32007, and its connection "
     "is closed. Raise it for large params: each connection may take that much memory.",
     Type::kBytes, kKiB, kGiB, &Limits::request_bytes},
    {"response_bytes",
     "The longest result from a handler. A longer one is answered with -32008. Every worker has "
     "shared memory for two such results; the system allocates only the part that results use.",
     Type::kBytes, kKiB, kGiB, &Limits::response_bytes},
    {"batch_items",
     "The most requests in one JSON-RPC batch. A larger batch is answered with -32010. Each item "
     "counts as a request for the limits below.",
     Type::kCount, 1, 100'000, &Limits::batch_items},
    {"connections",
     "The most connections at once. Each takes a descriptor: keep it below LimitNOFILE of the "
     "service. For a further one the server closes an idle connection: of the client with most "
     "connections, the one idle longest. If none is idle, the further one is answered with -32009 "
     "and closed.",
     Type::kCount, 1, 1'000'000, &Limits::connections},
    {"in_flight_per_connection",
     "The most unanswered requests of one connection. At that number the server reads no further "
     "request from it until an answer was sent. So a client with many requests in a pipeline "
     "cannot fill the queue for all.",
     Type::kCount, 1, 100'000, &Limits::in_flight_per_connection},
    {"requests_in_flight",
     "The most requests that are admitted and not yet answered. Further ones are answered with "
     "-32009 at once, so that clients can go elsewhere. Each takes some memory.",
     Type::kCount, 1, 1'000'000, &Limits::requests_in_flight},
    {"payload_memory_bytes",
     "Shared memory for the params, fetched bodies and results between steps of all requests in "
     "flight. It must hold one request of any method. When it is full, requests are answered with "
     "-32009. Raise it for large bodies under much load; memory is allocated only as it is used.",
     Type::kBytes, kMiB, 64 * kGiB, &Limits::payload_memory_bytes},
    {"connection_memory_bytes",
     "Memory of all connections together: unfinished requests, and answers that clients have not "
     "read. It must hold at least request_bytes and response_bytes. When it is full, the largest "
     "connections of the client that holds most are closed.",
     Type::kBytes, kMiB, 64 * kGiB, &Limits::connection_memory_bytes},
    {"send_timeout_ms",
     "How long a client may read no byte of its answers before its connection is closed. Raise it "
     "for clients that pause.",
     Type::kMs, 1, kHourMs, &Limits::send_timeout_ms},
    {"idle_timeout_ms",
     "How long a connection may be idle, with no request in flight and no answer unsent; 0 is for "
     "ever. Set it for clients that forget to close connections.",
     Type::kMs, 0, 24 * kHourMs, &Limits::idle_timeout_ms},
};

inline constexpr std::string_view kFairBy[] = {"client", "none"};
inline constexpr double kWeightMin = 0.001;
inline constexpr double kWeightMax = 1000;
inline constexpr Key<Fair> kFairKeys[] = {
    {"by",
     "\"client\": while several clients ask for more than the workers can do, each gets its share "
     "of the workers' time. A client is identified by its token's name, else by its certificate's "
     "subject, else by its unix user, else by its address. All clients that are known only by "
     "their address have one share together. \"none\": all requests count as one client's.",
     Type::kFairBy},
    {"weights",
     "The weights of these clients; any other client has the weight 1. A client of weight 4 gets "
     "four times the time of a client of weight 1. Keys are names of tokens, subjects "
     "of certificates, or \"uid 1000\" for a unix user. A token without a name has its fingerprint "
     "as the key: where the log has \"token a7ff343c\", the key is \"a7ff343c\". An address has no "
     "weight of its own.",
     Type::kWeights},
};

inline constexpr Key<Crashes> kCrashesKeys[] = {
    {"folder",
     "A folder for jobs that used up their attempts because their workers died, with the "
     "backtraces, and for slow jobs (`slow_ms`); \"\" keeps nothing. `ringmaster replay` runs "
     "such a job again. The server creates a missing folder. The files hold your users' data. "
     "Under systemd: /var/log/ringmaster/crashes.",
     Type::kOptionalPath},
    {"count",
     "The most files of crashed jobs, and the most files of slow jobs. For a new file the oldest "
     "one of its kind is removed.",
     Type::kCount, 1, 10'000, &Crashes::count},
    {"total_bytes",
     "The most bytes of crashed jobs, and the most bytes of slow jobs: the folder may hold twice "
     "this. For a new file the oldest ones of its kind are removed. A job that alone is larger is "
     "not kept.",
     Type::kBytes, kKiB, 64 * kGiB, &Crashes::total_bytes},
};

inline constexpr Key<Options> kLogKeys[] = {
    {"access",
     "The access log has one line for a request (event=request): its client, its code, and the "
     "times of its fetches, its waits for a worker, and its runs. \"off\": no request has one. "
     "\"all\": each request has one. N: one of N requests has one. Requests that fail are summed "
     "up in the log in any case. A line costs the master two system calls: set N under much load.",
     Type::kAccess, 1, 1'000'000},
};

inline constexpr Key<Telemetry> kTelemetryKeys[] = {
    {"otlp",
     "Where traces of requests are sent: a collector that takes OTLP over HTTP, for example "
     "\"http://127.0.0.1:4318\". The server adds /v1/traces to a URL without a path. \"\" sends "
     "none.",
     Type::kOptionalUrl},
    {"service", "The name of this server in traces (service.name).", Type::kText},
    {"one_of",
     "The traces of failed and of slow requests are always sent. Of the other requests, the trace "
     "of one in `one_of` is sent; 0: none. If such a request has a traceparent, its sampled flag "
     "decides instead of `one_of`.",
     Type::kCount, 0, 1'000'000'000, &Telemetry::one_of},
    {"slow_ms", "A request that took at least so long is slow: its trace is always sent.",
     Type::kMs, 0, kHourMs, &Telemetry::slow_ms},
};

inline constexpr Key<Options> kShutdownKeys[] = {
    {"notice_ms",
     "How long the server goes on serving after SIGTERM, so that load balancers notice: meanwhile "
     "/readyz answers 503, and /agent answers \"drain\". With three intervals of their checks a "
     "stop loses no request. A second SIGTERM stops at once.",
     Type::kMs, 0, kHourMs, &Options::shutdown_notice_ms},
    {"grace_ms",
     "How long requests in flight may take to finish after `notice_ms`; those that take longer "
     "are answered with -32013. A little more than the longest timeout_ms of a method is enough. "
     "The server makes systemd wait that long, even beyond TimeoutStopSec.",
     Type::kMs, 0, kHourMs, &Options::shutdown_grace_ms},
};

inline constexpr Key<Options> kReloadKeys[] = {
    {"rehearse",
     "How many recent jobs of each method the first worker of a new configuration runs again "
     "before the configuration serves; 0 runs none. The server compares their answers and CPU "
     "times with those before, and refuses a reload that would break a method. A method is "
     "rehearsed if its `attempts` is 2 or more, or if its own `rehearse` is true. Upstreams are "
     "not asked. The server keeps the jobs in memory, up to 4 MiB for each method. Some hundred "
     "jobs find faults that few inputs show.",
     Type::kCount, 0, 1000, &Options::rehearse},
};

// [secrets.NAME]
inline constexpr Key<SecretSource> kSecretsKeys[] = {
    {"file",
     "A file with the secret, in one line. Only its owner may write it, and only its owner and "
     "group may read it. A start and a reload read it. The server never logs or shows the secret.",
     Type::kFile},
    {"env",
     "Instead of `file`: the environment variable that holds the secret. Handlers do not inherit "
     "it. A new value needs a restart.",
     Type::kName},
};

// [handlers.NAME]. Every other key is handed to the handler.
inline constexpr Key<HandlerSpec> kHandlersKeys[] = {
    {"library",
     "The handler's shared object. A text with a \"/\" or with \".so\" at its end is a path. Any "
     "other text is a NAME: NAME.so in the folder `handlers` beside the program, or in "
     "lib/ringmaster/handlers. The default is the handler's own name.",
     Type::kLibrary},
    {"python",
     "Instead of `library`: a function or class in Python, in a file or in a module that can be "
     "imported.",
     Type::kPython},
    {"venv",
     "The virtual environment whose packages the handler's Python code may import; \"\" is the "
     "system's Python.",
     Type::kOptionalPath},
    {"batch",
     "The most jobs in one call of the handler, if that many wait. Raise it for handlers that run "
     "several jobs in less time than one by one. A crash costs every job of the batch an attempt; "
     "they are run again one by one.",
     Type::kCount, 1, ipc::kBatchMax, &HandlerSpec::batch},
    {"model",
     "The path of the handler's model. This file, and that of every key that ends in `_file`, "
     "must exist. Any other key is passed to the handler, which refuses unknown ones.",
     Type::kFile},
};

// [methods.NAME]
inline constexpr Key<Method> kMethodsKeys[] = {
    {"summary", "The method's summary in rpc.discover; \"\" is that of the last step's handler.",
     Type::kText},
    {"timeout_ms",
     "The deadline for fetching, waiting and computing together. When it passes, the client gets "
     "-32012, and a worker that still runs the job is replaced. A client can shorten it, never "
     "lengthen it.",
     Type::kMs, 1, kHourMs, &Method::timeout_ms},
    {"attempts",
     "How often a job is run in all if its workers die. Set 1 for work that must not be done "
     "twice. A job that crashes its worker costs one worker for each attempt.",
     Type::kCount, 1, 10, &Method::attempts},
    {"concurrency",
     "How many jobs of this method run at once; 0: only the number of workers is a limit. For a "
     "handler with `batch` it limits the published batches; several workers may divide one batch. "
     "Set it for a method that must not take all workers.",
     Type::kCount, 0, master::kWorkersMax, &Method::concurrency},
    {"reserved_workers",
     "How many workers the long jobs of other methods leave free for this method; at most "
     "`concurrency`. Set it for a method that must not wait for such jobs. At least one worker is "
     "always left for the others.",
     Type::kCount, 0, master::kWorkersMax - 1, &Method::reserved_workers},
    {"slow_ms",
     "Requests of this method that take longer, from admission to their end, are slow: they are "
     "logged (event=slow_request) with their stages and the worker's stack; 0: none is slow. With "
     "a folder in [crashes] such jobs are also kept. Writing the stack takes the worker a "
     "fraction of a millisecond, and ends a sleep, poll or select of the handler with EINTR. Set "
     "it above the usual p99 of the method. /profile finds slow jobs without this key.",
     Type::kMs, 0, kHourMs, &Method::slow_ms},
    {"rehearse",
     "true: a reload also rehearses this method if `attempts` is 1 (see [reload]). Set it only if "
     "the method's jobs may be done again, up to three times.",
     Type::kFlag},
    {"steps",
     "The steps of the method, run in this order. In the texts of a fetch step ${params.NAME} is "
     "the member NAME of the request's params, and ${STEP.NAME} is the member NAME of an earlier "
     "step's output.",
     Type::kSteps},
};

// One of a method's steps: `fetch`, `run`, or `parallel` with fetches that begin together. All
// other keys belong to a fetch step; a run step may have `as`, too.
inline constexpr Key<Method> kStepKeys[] = {
    {"fetch", "The upstream that is asked.", Type::kName},
    {"path",
     "A template of the path behind the upstream's url. Values are percent-encoded; one that is "
     "empty, \".\" or \"..\" is refused (-32602).",
     Type::kPath},
    {"query", "The fields of the query. Values are templates, which are percent-encoded.",
     Type::kQuery},
    {"headers",
     "Headers of this fetch. Values are templates; a value with a control character is refused.",
     Type::kFields},
    {"body",
     "The JSON that is sent to the upstream. Where a string is one ${...} alone, the value "
     "replaces the string and keeps its JSON type. Within other text the value becomes text.",
     Type::kBody},
    {"method", "The HTTP method. The default is POST with a body, else GET.", Type::kHttpMethod},
    {"timeout_ms", "The timeout of this fetch; the default is the upstream's.", Type::kMs, 1,
     kHourMs},
    {"optional", "true: if the fetch fails, its output is null and the request goes on.",
     Type::kFlag},
    {"as",
     "The name of the step's output for later steps. The default is the upstream's or handler's "
     "name.",
     Type::kName},
    {"run", "The handler that is run. It gets the params and the results of the steps before it.",
     Type::kName},
    {"parallel", "Fetch steps that begin together. The next step begins when all have ended.",
     Type::kParallel},
};

inline constexpr std::string_view kHttpMethods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

// Calls see(section, keys) for each section of the file.
template <class See>
void for_each_section(See see) {
  see(Section{"listen",
              "where clients connect, which clients may call, and where health checks ask"},
      kListenKeys);
  see(Section{"workers",
              "how many processes run handlers, how they are confined, and when they are replaced"},
      kWorkersKeys);
  see(Section{"limits",
              "the largest messages, the most connections and requests, and the memory for all of "
              "them"},
      kLimitsKeys);
  see(Section{"fair", "how clients share the workers' time when they ask for more than there is"},
      kFairKeys);
  see(Section{"crashes", "where jobs that killed their workers, and slow ones, are kept"},
      kCrashesKeys);
  see(Section{"log", "which requests have lines of their own in the log"}, kLogKeys);
  see(Section{"telemetry", "where traces of requests are sent, and of which requests"},
      kTelemetryKeys);
  see(Section{"shutdown", "how long a stop waits for load balancers, and for requests in flight"},
      kShutdownKeys);
  see(Section{"reload", "what a new configuration must show before it serves"}, kReloadKeys);
  see(Section{"secrets", "secret texts for the headers and bodies of fetches", true}, kSecretsKeys);
  see(Section{"upstreams", "an HTTP service that fetch steps ask; any number of them", true},
      kUpstreamsKeys);
  see(Section{"handlers", "a shared object, or Python code, and its model; any number of them",
              true, true},
      kHandlersKeys);
  see(Section{"methods", "what clients may call; at least one", true}, kMethodsKeys);
}

}  // namespace ringmaster::config
