#include "cli/replay.h"

#include <algorithm>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json/kept_job.h"
#include "base/nearest.h"
#include "base/regular_file.h"
#include "cli/configuration.h"
#include "cli/foreground.h"
#include "config/config.h"

namespace ringmaster::cli {
namespace {

// A kept job is at most as long as crashes.total_bytes.
constexpr size_t kFileBytesMax = size_t{64} << 30;

Result<json::KeptJob> read_job(const std::string& path) {
  const auto text = read_regular_file(path, kFileBytesMax);
  if (!text) return fail(ExitCode::kUsage, fmt::format("replay: {}: {}", path, text.error()));
  auto job = json::decode_kept_job(*text);
  if (!job) {
    return fail(ExitCode::kUsage,
                fmt::format("replay: {} is no kept job: {}", path, job.error().message));
  }
  return job;
}

Result<const master::Method*> find_method(const master::Options& options, const std::string& name) {
  const auto found = std::ranges::find(options.methods, name, &master::Method::name);
  if (found != options.methods.end()) return &*found;
  std::vector<std::string_view> known;
  for (const master::Method& method : options.methods)
    known.push_back(method.name);
  return fail(ExitCode::kUsage,
              fmt::format("replay: the job is of the method {}, which {} does not "
                          "have{}",
                          name, options.config_file, did_you_mean_or_known(name, known)));
}

// The handler of the job's step. The method's steps must have the same names as in the kept job:
// the handler finds outputs by name.
Result<const ipc::HandlerSpec*> find_handler(const master::Options& options,
                                             const master::Method& method,
                                             const json::KeptJob& job) {
  std::vector<std::string_view> names;
  for (const master::Step& step : method.steps)
    names.push_back(name_of(step));
  if (!std::ranges::equal(names, job.steps)) {
    return fail(ExitCode::kUsage,
                fmt::format("replay: the job is of the method {} with the steps {}, found {} in {}",
                            method.name, fmt::join(job.steps, ", "), fmt::join(names, ", "),
                            options.config_file));
  }
  const auto* const run = std::get_if<master::RunStep>(&method.steps[job.step]);
  if (run != nullptr) return &options.handlers[run->handler];
  return fail(ExitCode::kUsage, fmt::format("replay: expected a step that runs a handler, found "
                                            "step {} of {}, which fetches from {}",
                                            job.step + 1, method.name, names[job.step]));
}

}  // namespace

Result<int> replay(const CommandLine& line, std::span<char* const> words) {
  auto kept = read_job(line.file);
  if (!kept) return tl::unexpected(kept.error());
  const config::Loaded loaded = config::load(line.config);
  if (!loaded.problems.empty()) return print_problems(stderr, loaded.problems);
  const master::Options& options = loaded.options;
  const auto method = find_method(options, kept->method);
  if (!method) return tl::unexpected(method.error());
  const auto handler = find_handler(options, **method, *kept);
  if (!handler) return tl::unexpected(handler.error());
  if (line.gdb) return exec_gdb("replay", words);
  worker::ForegroundJob job{
      kept->method, std::move(kept->params), {}, std::move(kept->id), std::move(kept->traceparent)};
  for (size_t i = 0; i < kept->outputs.size(); ++i)
    job.inputs.emplace_back(kept->steps[i], std::move(kept->outputs[i]));
  return run_and_print("replay", **handler, job, options.limits.response_bytes);
}

}  // namespace ringmaster::cli
