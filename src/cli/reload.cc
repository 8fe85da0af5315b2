#include "cli/reload.h"

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fmt/format.h>
#include <string>
#include <thread>

#include "base/clock.h"
#include "cli/configuration.h"
#include "cli/reload_master.h"
#include "cli/reload_status.h"
#include "cli/status_port.h"
#include "config/paths.h"

namespace ringmaster::cli {
namespace {

constexpr std::chrono::milliseconds kBetweenAsks{50};
constexpr uint64_t kBeginMs = 10'000;  // for the server to begin the reload

bool is_same_file(const std::string& one, const std::string& other) {
  std::error_code error;
  return config::absolute_path(one) == other || std::filesystem::equivalent(one, other, error);
}

// The answer of the status address in `options`. Fails if the server that listens there is not the
// one that the command line means.
Result<ReloadStatus> ask_server(const CommandLine& line, const master::Options& options) {
  const std::string& address = options.listen_status;
  const Status named =
      check_status_port(line, address, "name the server with --pid, without --wait");
  if (!named) return tl::unexpected(named.error());
  Result<ReloadStatus> status = ask_reload_status(address);
  if (!status && !line.config.empty()) {
    return fail(status.error().exit_code,
                status.error().message +
                    "; if the file changes [listen] status, name the server "
                    "with --pid, without --wait");
  }
  if (!status) return status;
  if (!line.config.empty() && !is_same_file(line.config, status->configuration)) {
    return fail(ExitCode::kResource, fmt::format("the server at {} serves {}, not {}", address,
                                                 status->configuration, line.config));
  }
  if (line.pid != 0 && line.pid != status->pid) {
    return fail(ExitCode::kResource, fmt::format("the server at {} is process {}, not {}", address,
                                                 status->pid, line.pid));
  }
  return status;
}

// Waits for the first reload that the server has begun after `before`.
Result<EndedReload> wait_for_end(const std::string& address, const ReloadStatus& before) {
  const uint64_t give_up_ns = now_ns() + kBeginMs * kNsPerMs;
  while (true) {
    const Result<ReloadStatus> now = ask_reload_status(address);
    if (!now) return tl::unexpected(now.error());
    if (now->pid != before.pid) {
      return fail(ExitCode::kResource,
                  fmt::format("process {} has ended without an answer; another server has {} now",
                              before.pid, address));
    }
    for (const EndedReload& ended : now->ended) {
      if (ended.number > before.begun) return ended;
    }
    if (now->state == "stopping") {
      return fail(ExitCode::kResource, fmt::format("the server (process {}) stops", now->pid));
    }
    if (now->state == "serving" && now_ns() > give_up_ns) {
      return fail(ExitCode::kResource,
                  fmt::format("process {} began no reload within {} ms", now->pid, kBeginMs));
    }
    std::this_thread::sleep_for(kBetweenAsks);
  }
}

}  // namespace

Result<int> reload(const CommandLine& line) {
  if (line.pid != 0 && !line.wait) {
    const Status sent = reload_master(line.pid);
    if (!sent) return tl::unexpected(sent.error());
    return 0;
  }
  // A file with errors is loaded as far as possible, for its status address: the server, and not
  // this command, refuses the file. Without such an address, the command asks the default.
  config::Loaded loaded;
  if (!line.config.empty()) loaded = config::load(line.config);
  const Result<ReloadStatus> before = ask_server(line, loaded.options);
  if (!before && !loaded.problems.empty()) {
    print_problems(stderr, loaded.problems);
    return fail(ExitCode::kConfig, before.error().message);
  }
  if (!before) return tl::unexpected(before.error());
  const Status sent = reload_master(before->pid);
  if (!sent) return tl::unexpected(sent.error());
  if (!line.wait) return 0;
  const Result<EndedReload> ended = wait_for_end(loaded.options.listen_status, *before);
  if (!ended) return tl::unexpected(ended.error());
  if (!ended->failure.empty()) {
    return fail(ExitCode::kConfig, "the server refused the reload: " + ended->failure);
  }
  std::printf("reloaded: generation %llu serves\n",
              static_cast<unsigned long long>(ended->generation));
  return 0;
}

}  // namespace ringmaster::cli
