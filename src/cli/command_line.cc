#include "cli/command_line.h"

#include <algorithm>
#include <fmt/format.h>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/nearest.h"
#include "base/version.h"
#include "cli/command_rules.h"
#include "cli/commands.h"
#include "cli/pretty_json.h"

namespace ringmaster::cli {
namespace {

constexpr const char* kHelp = "help";
constexpr uint64_t kTimeoutMsMax = 3600 * 1000;
constexpr double kWaitSMax = 3600;

struct Parser {
  CLI::App app{"ringmaster: a prefork JSON-RPC server for CPU-bound functions", "ringmaster"};
  CLI::App* serve = app.add_subcommand("serve", "serve in the foreground");
  CLI::App* check =
      app.add_subcommand("check", "name every problem of a configuration, without serving it");
  CLI::App* reload = app.add_subcommand("reload", "have a running server read its file again");
  CLI::App* call = app.add_subcommand("call", "send one request and print its result");
  CLI::App* discover =
      app.add_subcommand("discover", "print what a server offers, as an OpenRPC document");
  CLI::App* bench = app.add_subcommand("bench", "put a load on a JSON-RPC server and measure it");
  CLI::App* run =
      app.add_subcommand("run", "run one job of a handler in this process, without a server");
  CLI::App* replay =
      app.add_subcommand("replay", "run a kept job again in this process, without a server");
  CLI::App* top = app.add_subcommand(
      "top", "show what a running server does: rates, errors and times, again and again");
  CLI::App* trace = app.add_subcommand(
      "trace", "write the recent requests of a running server as a trace for Perfetto");
  CLI::App* dev = app.add_subcommand(
      "dev", "serve the functions of a Python file, and reload when it is saved");
  CLI::App* plan = app.add_subcommand("plan", "work out how many workers and nodes a load needs");
  // Only for the list of subcommands: parse_command_line() turns `help` into --help.
  CLI::App* help = app.add_subcommand(kHelp, "print this help, or the options of a SUBCOMMAND");
};

void describe_bench(CLI::App& app, CommandLine& line) {
  bench::Options& load = line.load;
  app.add_option("--rate", load.rate, "open loop: send N requests a second")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  app.add_option("--arrivals", line.arrivals, "open loop: when requests are sent (default poisson)")
      ->type_name("poisson|constant");
  app.add_option("--seed", load.seed, "open loop: the seed of the arrivals (default 1)")
      ->type_name("N");
  app.add_option("--concurrency", load.concurrency,
                 "closed loop, if there is no --rate: requests at once (default 1)")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--connections", load.connections,
                 "spread the load over N connections (default 1)")
      ->type_name("N")
      ->check(CLI::Range(1, 100'000));
  app.add_option("--http", load.http_path, "POST to this path, not JSON lines")->type_name("PATH");
  app.add_option("--warm-up-s", load.warm_up_s,
                 "load before the measurement, not counted (default 1)")
      ->type_name("S")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--duration-s", load.duration_s, "the length of the measurement (default 10)")
      ->type_name("S")
      ->check(CLI::PositiveNumber);
  app.add_option("--in-time-ms", load.in_time_ms, "also count the results that took at most MS")
      ->type_name("MS")
      ->check(CLI::PositiveNumber);
  app.add_option("--drain-s", load.drain_s, "wait at most S for the last answers (default 10)")
      ->type_name("S")
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--json", line.json, "print the report as JSON");
}

void describe_call(CLI::App& app, CommandLine& line) {
  app.add_option("--wait", line.wait_s,
                 "keep trying to connect for SECONDS, while the server starts")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, kWaitSMax));
}

void describe_run(CLI::App& app, CommandLine& line) {
  app.add_option("HANDLER", line.handler, "the NAME of a [handlers.NAME] of the configuration");
  app.add_option("--input", line.inputs,
                 "the output of the step NAME before the handler; may be given several times")
      ->type_name("NAME=JSON|NAME=@FILE")
      ->allow_extra_args(false);
  app.add_flag("--gdb", line.gdb, "run this command in gdb");
}

void describe_replay(CLI::App& app, CommandLine& line) {
  app.add_option("FILE", line.file, "a file in the folder of [crashes]");
  app.add_flag("--gdb", line.gdb, "run this command in gdb");
}

void describe_status_port(Parser& parser, CommandLine& line) {
  for (CLI::App* app : {parser.top, parser.trace}) {
    app->add_option("--to", line.to,
                    "the server's status port (default: listen.status of -c, else\n"
                    "127.0.0.1:7071)")
        ->type_name("HOST:PORT|unix:PATH");
  }
  parser.top
      ->add_option("--count", line.count, "end after N samples, one a second (default: go on)")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  parser.trace->add_option("-o,--output", line.output, "write to FILE, not to stdout")
      ->type_name("FILE");
  parser.trace->add_flag("--kept", line.kept,
                         "write the slow and failed requests that the server keeps, even if they\n"
                         "are hours old, not the recent ones");
}

void describe_dev(CLI::App& app, CommandLine& line) {
  app.allow_extras();
  app.add_option("FILE", line.file, "for example score.py");
  app.add_option("--listen", line.listen,
                 "where clients connect (default 127.0.0.1:7070); port 0: any free port")
      ->type_name("HOST:PORT|unix:PATH");
  app.add_flag("--print-config", line.print_config,
               "print a configuration that serves the functions, and do not serve them");
}

void describe_serve(CLI::App& app, CommandLine& line) {
  app.add_option("--log-format", line.log_format, "the format of log lines (default logfmt)")
      ->type_name("logfmt|json");
  app.add_option("--log-file", line.log_file, "append log lines to FILE, not to stderr")
      ->type_name("FILE");
  app.add_flag("--inline", line.is_inline,
               "run handlers in one process, without deadlines: for debuggers only");
}

void describe(Parser& parser, CommandLine& line) {
  parser.app.set_version_flag("--version", "ringmaster " + std::string(kVersion));
  // For scripts/options.py, so hidden.
  parser.app.add_flag("--help-json", line.help_json, "print all options as JSON")->group("");
  parser.app.require_subcommand(0, 1);
  parser.app.footer(
      "Exit codes: 0 ok, 1 the answer was an error (call, discover, run, replay), or there was\n"
      "no result (bench), 64 usage, 70 internal error, 71 a resource of the system is missing, or\n"
      "no answer came in time, 78 bad configuration (reload --wait: the reload was refused). If a\n"
      "handler crashes, run and replay end by the signal of the crash.");
  // Unknown arguments are kept, so that our own message can name the nearest known one.
  parser.app.allow_extras();
  for (CLI::App* app : {parser.serve, parser.check, parser.reload, parser.call, parser.discover,
                        parser.bench, parser.run, parser.replay, parser.top, parser.trace}) {
    app->allow_extras();
    app->add_option("-c,--config", line.config, "the configuration file")->type_name("FILE");
  }
  describe_serve(*parser.serve, line);
  parser.check->add_flag("--dump", line.dump, "print the effective configuration");
  parser.check->add_flag("--schema", line.schema,
                         "print the JSON Schema of every configuration, without -c");
  parser.reload
      ->add_option("--pid", line.pid,
                   "the server's master (default: the master that answers at listen.status of -c,\n"
                   "else at 127.0.0.1:7071)")
      ->type_name("PID")
      ->check(CLI::PositiveNumber);
  parser.reload->add_flag("--wait", line.wait,
                          "wait for the end of the reload, print its result; needs listen.status,\n"
                          "and cannot follow a reload that changes it");
  for (CLI::App* app : {parser.call, parser.discover, parser.bench}) {
    app->add_option("--to", line.to,
                    "the server (default: listen.rpc of -c, the first address without TLS if\n"
                    "there is one; without -c 127.0.0.1:7070)")
        ->type_name(app == parser.bench ? "HOST:PORT|unix:PATH"
                                        : "HOST:PORT|tls://HOST:PORT|unix:PATH");
    app->add_option("--token-file", line.token_file, "show the first token in FILE to the server")
        ->type_name("FILE");
  }
  for (CLI::App* app : {parser.call, parser.bench}) {
    app->add_option("METHOD", line.method, "for example interests.predict");
  }
  for (CLI::App* app : {parser.call, parser.discover}) {
    app->add_option("--timeout-ms", line.timeout_ms, "give up after MS (default 30000)")
        ->type_name("MS")
        ->check(CLI::Range(uint64_t{1}, kTimeoutMsMax));
    app->add_option("--ca", line.tls.ca, "tls://: trust these CAs (PEM), not the system's")
        ->type_name("FILE");
    app->add_option("--cert", line.tls.certificate, "tls://: show this client certificate (PEM)")
        ->type_name("FILE");
    app->add_option("--key", line.tls.key, "tls://: the key of --cert (PEM)")->type_name("FILE");
  }
  describe_call(*parser.call, line);
  describe_run(*parser.run, line);
  describe_replay(*parser.replay, line);
  for (CLI::App* app : {parser.call, parser.run}) {
    app->add_option("PARAMS", line.params,
                    "a JSON object or array: '{\"user_id\": 42}'; @FILE: the text in FILE;\n"
                    "-: the text on stdin");
  }
  parser.bench->add_option("PARAMS", line.params,
                           "as for call; each $i becomes the request's number");
  describe_bench(*parser.bench, line);
  describe_status_port(parser, line);
  describe_dev(*parser.dev, line);
  describe_plan(*parser.plan, line.plan);
  parser.help->add_option("SUBCOMMAND")->description("for example call");
}

const CLI::App& chosen(const Parser& parser) {
  const auto subcommands = parser.app.get_subcommands();
  return subcommands.empty() ? parser.app : *subcommands.front();
}

// The error about the first unknown argument; empty: there is none.
std::string find_unknown(const Parser& parser) {
  const std::vector<std::string> extras = parser.app.remaining(true);
  if (extras.empty()) return "";
  const CLI::App& app = chosen(parser);
  const std::string word = extras.front().substr(0, extras.front().find('='));
  std::vector<std::string> names;
  if (word.starts_with('-')) {
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& name : option->get_snames())
        names.push_back("-" + name);
      for (const std::string& name : option->get_lnames())
        names.push_back("--" + name);
    }
  } else if (&app == &parser.app) {
    for (const CLI::App* subcommand : app.get_subcommands({}))
      names.push_back(subcommand->get_name());
  } else {
    return "unexpected argument " + extras.front();
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  return fmt::format("unknown {} {}{}", word.starts_with('-') ? "option" : "subcommand", word,
                     did_you_mean_or_known(word, known));
}

Result<CommandLine> finish(const Parser& parser, CommandLine line) {
  if (std::string unknown = find_unknown(parser); !unknown.empty()) return usage(unknown);
  const CLI::App& app = chosen(parser);
  if (line.help_json) {
    line.text = pretty_json(describe_commands(parser.app)) + '\n';
    return line;
  }
  if (&app == &parser.app)
    return usage(
        "expected a subcommand: serve, check, reload, call, discover, bench, run, replay, top, "
        "trace, dev, plan or help");
  const bool needs_config =
      &app == parser.serve || &app == parser.check || &app == parser.run || &app == parser.replay;
  if (needs_config && line.config.empty() && !line.schema) {
    return usage(app.get_name() + ": expected -c FILE, the configuration, found none");
  }
  line.command = &app == parser.serve      ? Command::kServe
                 : &app == parser.check    ? Command::kCheck
                 : &app == parser.reload   ? Command::kReload
                 : &app == parser.call     ? Command::kCall
                 : &app == parser.discover ? Command::kDiscover
                 : &app == parser.run      ? Command::kRun
                 : &app == parser.replay   ? Command::kReplay
                 : &app == parser.top      ? Command::kTop
                 : &app == parser.trace    ? Command::kTrace
                 : &app == parser.dev      ? Command::kDev
                 : &app == parser.plan     ? Command::kPlan
                                           : Command::kBench;
  if (Status valid = apply_rules(line, app.get_name()); !valid)
    return tl::unexpected(valid.error());
  return line;
}

}  // namespace

Result<CommandLine> parse_command_line(int argc, char** argv) {
  Parser parser;
  CommandLine line;
  describe(parser, line);
  std::vector<std::string> words(argv + 1, argv + argc);
  const bool is_help = !words.empty() && words.front() == kHelp;
  if (is_help) {  // `help` and `help SUBCOMMAND` print what --help prints
    words.erase(words.begin());
    words.push_back("--help");
  }
  std::reverse(words.begin(), words.end());  // as the library expects them
  try {
    parser.app.parse(std::move(words));
  } catch (const CLI::Success& asked) {  // --help, --version
    const std::string unknown = is_help ? find_unknown(parser) : "";
    if (!unknown.empty()) return usage(unknown);
    std::ostringstream out;
    parser.app.exit(asked, out, out);
    line.text = out.str();
    return line;
  } catch (const CLI::Error& error) {
    const std::string unknown = find_unknown(parser);
    return usage(unknown.empty() ? error.what() : unknown);
  }
  return finish(parser, std::move(line));
}

}  // namespace ringmaster::cli
