#include "cli/top.h"

#include <chrono>
#include <cstdio>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <thread>
#include <unistd.h>

#include "base/clock.h"
#include "cli/screen.h"
#include "cli/status_port.h"
#include "cli/top_sample.h"
#include "cli/top_view.h"

namespace ringmaster::cli {
namespace {

constexpr uint64_t kPeriodMs = 1000;

bool is_last(const CommandLine& line, uint64_t samples) {
  return line.count > 0 && samples >= line.count;
}

Result<int> print_samples(const CommandLine& line, const std::string& address) {
  Sample before;
  for (uint64_t samples = 1;; ++samples) {
    Result<Sample> now = take_sample(address);
    if (!now) return tl::unexpected(now.error());
    for (const ViewLine& one : view(before, *now, {}))
      std::printf("%s\n", one.text.c_str());
    std::printf("\n");
    if (std::fflush(stdout) != 0) return fail(ExitCode::kResource, "stdout: cannot be written");
    if (is_last(line, samples)) return 0;
    before = std::move(*now);
    std::this_thread::sleep_for(std::chrono::milliseconds(kPeriodMs));
  }
}

// Shows the view for kPeriodMs. Returns whether the user has ended the command.
bool show(Screen& screen, const Sample& before, const Sample& now, const std::string& fault) {
  const uint64_t end_ns = now_ns() + kPeriodMs * kNsPerMs;
  bool is_drawn = false;
  for (uint64_t at_ns = now_ns(); at_ns < end_ns; at_ns = now_ns()) {
    if (!is_drawn) {
      std::vector<ViewLine> lines = view(before, now, screen.size());
      if (!fault.empty()) lines.front() = {fault, true};
      screen.draw(lines);
    }
    char key = 0;
    const auto left_ms = static_cast<int>((end_ns - at_ns) / kNsPerMs) + 1;
    const Screen::Input input = screen.wait(left_ms, key);
    is_drawn = input != Screen::Input::kResized;
    if (input == Screen::Input::kEnd || (input == Screen::Input::kKey && key == 'q')) {
      return true;
    }
  }
  return false;
}

Result<int> show_samples(const CommandLine& line, const std::string& address) {
  Result<Sample> now = take_sample(address);
  if (!now) return tl::unexpected(now.error());
  Screen screen;
  Sample before;
  std::string fault;
  for (uint64_t samples = 1;; ++samples) {
    if (show(screen, before, *now, fault) || is_last(line, samples)) return 0;
    Result<Sample> next = take_sample(address);
    fault = next ? "" : "NO ANSWER: " + next.error().message;
    if (!next) continue;  // keeps showing the last sample
    before = std::move(*now);
    now = std::move(next);
  }
}

}  // namespace

Result<int> top(const CommandLine& line) {
  const Result<std::string> address = find_status_port(line, "top");
  if (!address) return tl::unexpected(address.error());
  const bool has_terminal = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
  return has_terminal ? show_samples(line, *address) : print_samples(line, *address);
}

}  // namespace ringmaster::cli
