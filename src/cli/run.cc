#include "cli/run.h"

#include <cstdio>
#include <span>

#include "base/log.h"
#include "cli/bench.h"
#include "cli/call.h"
#include "cli/command_line.h"
#include "cli/configuration.h"
#include "cli/dev.h"
#include "cli/huge_pages.h"
#include "cli/plan.h"
#include "cli/pretty_json.h"
#include "cli/reload.h"
#include "cli/replay.h"
#include "cli/run_job.h"
#include "cli/start_log.h"
#include "cli/stepping.h"
#include "cli/terminal_mode.h"
#include "cli/top.h"
#include "cli/trace.h"
#include "config/schema.h"
#include "master/lifecycle/serve.h"
#include "net/tls_context.h"

namespace ringmaster::cli {
namespace {

int report(const Error& error) {
  std::fprintf(stderr, "ringmaster: %s\n", error.message.c_str());
  return static_cast<int>(error.exit_code);
}

config::Loaded load_to_serve(const CommandLine& line) {
  config::Loaded loaded = config::load(line.config);
  if (!line.is_inline) return loaded;
  allow_stepping(loaded.options);
  loaded.options.confinement.is_inline = 1;
  return loaded;
}

Result<int> run_serve(const CommandLine& line) {
  config::Loaded loaded = load_to_serve(line);
  if (!loaded.problems.empty()) return print_problems(stderr, loaded.problems);
  const Status started = start_log(line);
  if (!started) return tl::unexpected(started.error());
  if (line.is_inline) {
    log(Level::kWarning, "inline",
        {{"why",
          "--inline: one process runs the handlers, for debuggers; not for production: there are "
          "no deadlines, no sandbox, no other user, no self-tests; a crash ends the process"}});
  }
  const auto load_again = [&line]() -> tl::expected<master::Options, std::vector<std::string>> {
    config::Loaded again = load_to_serve(line);
    if (again.problems.empty()) return std::move(again.options);
    return tl::unexpected(config::to_strings(again.problems));
  };
  const TerminalMode restored_at_end;
  return static_cast<int>(master::serve(std::move(loaded.options), load_again));
}

int run_check(const CommandLine& line) {
  if (line.schema) {
    std::printf("%s\n", pretty_json(config::schema()).c_str());
    return 0;
  }
  const config::Loaded loaded = config::load(line.config);
  if (!loaded.problems.empty()) return print_problems(stdout, loaded.problems);
  const net::TlsFiles& tls = loaded.options.tls;
  if (!tls.certificate.empty()) {
    if (const auto context = net::TlsContext::create(tls); !context) {
      std::printf("%s: listen: %s\n", line.config.c_str(), context.error().message.c_str());
      return static_cast<int>(context.error().exit_code);
    }
  }
  const std::string answer = line.dump ? config::dump(loaded.options) : line.config + ": ok\n";
  std::fputs(answer.c_str(), stdout);
  return 0;
}

Result<int> run_bench(const CommandLine& line) {
  const Result<std::string> address = find_server(line, "bench");
  if (!address) return tl::unexpected(address.error());
  bench::Options load = line.load;
  load.address = *address;
  return bench(load, line.json);
}

Result<int> run_command(const CommandLine& line, std::span<char*> words) {
  switch (line.command) {
    case Command::kShowText:
      std::fputs(line.text.c_str(), stdout);
      return 0;
    case Command::kServe:
      // A debugger such as valgrind would lose a program that executes itself.
      if (!line.is_inline) use_huge_pages(words.data());
      return run_serve(line);
    case Command::kCheck:
      return run_check(line);
    case Command::kReload:
      return reload(line);
    case Command::kBench:
      return run_bench(line);
    case Command::kRun:
      return run_job(line, words);
    case Command::kReplay:
      return replay(line, words);
    case Command::kDev:
      use_huge_pages(words.data());
      return dev(line);
    case Command::kPlan:
      return plan(line.plan);
    case Command::kTop:
      return top(line);
    case Command::kTrace:
      return trace(line);
    case Command::kCall:
    case Command::kDiscover:
      return call(line);
  }
  return static_cast<int>(ExitCode::kInternal);
}

}  // namespace

int run(int argc, char** argv) {
  const Result<CommandLine> line = parse_command_line(argc, argv);
  if (!line) return report(line.error());
  const Result<int> ended = run_command(*line, {argv, static_cast<size_t>(argc)});
  return ended ? *ended : report(ended.error());
}

}  // namespace ringmaster::cli
