#include "cli/run_job.h"

#include <algorithm>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/nearest.h"
#include "cli/configuration.h"
#include "cli/foreground.h"
#include "cli/params.h"
#include "config/config.h"

namespace ringmaster::cli {
namespace {

// A method has one step for each input, and one step that runs the handler.
constexpr size_t kInputsMax = master::kMaxSteps - 1;

Result<std::pair<std::string, std::string>> read_input(const std::string& given) {
  const size_t is = given.find('=');
  if (is == 0 || is == std::string::npos) {
    return fail(ExitCode::kUsage,
                fmt::format("run: expected --input NAME=JSON or NAME=@FILE, found {}", given));
  }
  const std::string name = given.substr(0, is);
  const std::string text = given.substr(is + 1);
  if (text == "-") {
    return fail(ExitCode::kUsage,
                fmt::format("run: expected --input {0}=JSON or {0}=@FILE, found -, which only "
                            "PARAMS may be",
                            name));
  }
  Result<std::string> output =
      read_text_argument(fmt::format("run: expected --input {}", name), text);
  if (!output) return tl::unexpected(output.error());
  return std::pair(name, std::move(*output));
}

bool runs(const master::Step& step, size_t handler) {
  const auto* const run = std::get_if<master::RunStep>(&step);
  return run != nullptr && run->handler == handler;
}

// The method name that the handler is told: the first method that runs it. If no method does, the
// handler's own name.
std::string find_method(const master::Options& options, size_t handler) {
  for (const master::Method& method : options.methods) {
    for (const master::Step& step : method.steps) {
      if (runs(step, handler)) return method.name;
    }
  }
  return options.handlers[handler].name;
}

// Fails for an input that no method gives the handler. If no method runs the handler, any input
// will do.
Status check_inputs(const std::vector<std::pair<std::string, std::string>>& inputs,
                    const master::Options& options, size_t handler) {
  std::vector<std::string_view> known;
  bool is_run = false;
  for (const master::Method& method : options.methods) {
    for (auto step = method.steps.begin(); step != method.steps.end(); ++step) {
      if (!runs(*step, handler)) continue;
      is_run = true;
      for (auto before = method.steps.begin(); before != step; ++before)
        known.push_back(name_of(*before));
    }
  }
  for (const auto& [name, output] : inputs) {
    if (!is_run || std::ranges::find(known, name) != known.end()) continue;
    return fail(ExitCode::kUsage,
                fmt::format("run: --input {}: no method has such a step before {}{}", name,
                            options.handlers[handler].name, did_you_mean_or_known(name, known)));
  }
  return {};
}

Result<size_t> find_handler(const master::Options& options, const std::string& name) {
  const auto found = std::ranges::find(options.handlers, name, &ipc::HandlerSpec::name);
  if (found != options.handlers.end()) {
    return static_cast<size_t>(found - options.handlers.begin());
  }
  std::vector<std::string_view> known;
  for (const ipc::HandlerSpec& handler : options.handlers)
    known.push_back(handler.name);
  return fail(ExitCode::kUsage, fmt::format("run: {} has no [handlers.{}]{}", options.config_file,
                                            name, did_you_mean_or_known(name, known)));
}

}  // namespace

Result<int> run_job(const CommandLine& line, std::span<char* const> words) {
  if (line.gdb) return exec_gdb("run", words);
  worker::ForegroundJob job;
  job.params = line.params;
  for (const std::string& given : line.inputs) {
    auto input = read_input(given);
    if (!input) return tl::unexpected(input.error());
    job.inputs.push_back(std::move(*input));
  }
  if (job.inputs.size() > kInputsMax) {
    return fail(ExitCode::kUsage, fmt::format("run: expected at most {} times --input, found {}",
                                              kInputsMax, job.inputs.size()));
  }
  const config::Loaded loaded = config::load(line.config);
  if (!loaded.problems.empty()) return print_problems(stderr, loaded.problems);
  const master::Options& options = loaded.options;
  const Result<size_t> handler = find_handler(options, line.handler);
  if (!handler) return tl::unexpected(handler.error());
  if (Status known = check_inputs(job.inputs, options, *handler); !known)
    return tl::unexpected(known.error());
  job.method = find_method(options, *handler);
  return run_and_print("run", options.handlers[*handler], job, options.limits.response_bytes);
}

}  // namespace ringmaster::cli
