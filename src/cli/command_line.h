// The parsed command line, or an error that names the unknown word and the nearest known one.
//
// Only command_line.cc parses with CLI11, and catches CLI11's exceptions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "bench/options.h"
#include "cli/plan_options.h"
#include "config/options.h"
#include "net/options.h"

namespace ringmaster::cli {

enum class Command {
  kShowText,  // help, --help, --version, --help-json: print `text`
  kServe,
  kCheck,
  kReload,
  kCall,
  kDiscover,
  kBench,
  kRun,
  kReplay,
  kTop,
  kTrace,
  kDev,
  kPlan,
};

struct CommandLine {
  Command command = Command::kShowText;
  std::string text;

  std::string config;                 // serve, check, run and replay require it
  bool dump = false;                  // check
  bool schema = false;                // check; needs no config
  bool is_inline = false;             // serve: handlers in one process, for debuggers
  std::string log_format = "logfmt";  // serve: logfmt or json
  std::string log_file;               // serve; empty: stderr
  int pid = 0;                        // reload; 0: the status port tells it
  bool wait = false;                  // reload: return when the reload has ended
  // call, discover, bench; empty: see find_server(). top, trace; empty: see find_status_port().
  std::string to;
  std::string token_file;           // call, discover, bench; empty: no token
  net::ClientTlsFiles tls;          // call, discover
  std::string method;               // call, discover, bench
  std::string params;               // call, bench, run: a JSON object or array; empty: none
  std::string handler;              // run
  std::vector<std::string> inputs;  // run: NAME=JSON or NAME=@FILE
  bool gdb = false;                 // run, replay
  uint64_t count = 0;               // top: samples; 0: no limit
  std::string output;               // trace: a file; empty: stdout
  bool kept = false;                // trace: the slow and failed requests
  double wait_s = 0;                // call: for how long to try to connect
  uint64_t timeout_ms = 30'000;     // call, discover
  bench::Options load;              // bench; load.token: call and discover, too
  std::string arrivals = "poisson";
  bool json = false;                                // bench
  std::string file;                                 // dev: Python code; replay: a kept job
  std::string listen = master::kDefaultRpcAddress;  // dev
  bool print_config = false;                        // dev
  PlanOptions plan;
  bool help_json = false;  // without a command
};

Result<CommandLine> parse_command_line(int argc, char** argv);

}  // namespace ringmaster::cli
