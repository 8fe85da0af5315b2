#include "cli/dev.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <rapidjson/document.h>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/log.h"
#include "cli/run_program.h"
#include "cli/start_log.h"
#include "cli/stepping.h"
#include "cli/terminal_mode.h"
#include "config/config.h"
#include "master/lifecycle/serve.h"

namespace ringmaster::cli {
namespace {

using Problems = std::vector<std::string>;

// The Python that runs the handlers, too: see interpreter.cc.
constexpr const char* kPython = "/usr/bin/python3";

// The output of _dev.py.
struct Functions {
  std::string configuration;
  std::vector<std::string> files;
  std::vector<std::string> calls;
};

// The names of the served file and of the files beside it that it imports. A thread of libuv's pool
// sets the names, and the event loop reads them.
class Files {
 public:
  explicit Files(const std::string& file)
      : names_{std::filesystem::path(file).filename().string()} {}

  void set(std::vector<std::string> names) {
    const std::lock_guard lock(mutex_);
    names_ = std::move(names);
  }
  bool has(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    return std::ranges::find(names_, name) != names_.end();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> names_;
};

std::string text_of(const rapidjson::Value& value) {
  return {value.GetString(), value.GetStringLength()};
}

// The path of _dev.py. Also fails if `file` does not exist: the command does not wait for a file.
Result<std::string> find_program(const std::string& file) {
  std::error_code error;
  if (!std::filesystem::exists(file, error)) {
    return fail(ExitCode::kConfig, file + ": no such file" + config::did_you_mean_file(file));
  }
  const auto library =
      config::Paths(file, config::default_handler_folders()).find_library("python");
  if (!library) return fail(ExitCode::kConfig, library.error());
  return (std::filesystem::path(*library).replace_extension() / "ringmaster/_dev.py").string();
}

std::vector<std::string> texts_of(const rapidjson::Value& values) {
  std::vector<std::string> texts;
  for (const auto& value : values.GetArray())
    texts.push_back(text_of(value));
  return texts;
}

// Logs the handlers that are left out. `program`: see find_program().
tl::expected<Functions, Problems> list_functions(const std::string& program,
                                                 const std::string& file) {
  const Result<std::string> printed = run_program({kPython, "-IB", program, file});
  if (!printed) return tl::unexpected(Problems{printed.error().message});
  rapidjson::Document document;
  document.Parse(printed->data(), printed->size());
  if (!document.IsObject()) {
    return tl::unexpected(Problems{file + ": expected text in Unicode, found a lone surrogate"});
  }
  if (document.HasMember("problem")) return tl::unexpected(Problems{text_of(document["problem"])});
  for (const auto& one : document["left_out"].GetArray())
    log(Level::kWarning, "left_out", {{"name", text_of(one[0])}, {"why", text_of(one[1])}});
  return Functions{text_of(document["configuration"]), texts_of(document["files"]),
                   texts_of(document["calls"])};
}

// The settings for one developer at a terminal.
master::Options adapt(master::Options options, const std::string& address,
                      master::Development development) {
  options.listen_rpc = {address};
  options.listen_status = "";
  options.worker_debug = true;
  for (ipc::HandlerSpec& handler : options.handlers)
    handler.debug = true;
  allow_stepping(options);
  options.development = std::move(development);
  return options;
}

// Like config::load() of the configuration that _dev.py makes, but problems name the Python file.
tl::expected<master::Options, Problems> load(const std::string& program, const std::string& file,
                                             const std::string& address, Files& files) {
  auto functions = list_functions(program, file);
  if (!functions) return tl::unexpected(std::move(functions.error()));
  files.set(std::move(functions->files));
  config::Loaded loaded = config::load_text(file, functions->configuration);
  if (!loaded.problems.empty()) return tl::unexpected(config::to_strings(loaded.problems));
  return adapt(std::move(loaded.options), address, {file, std::move(functions->calls)});
}

}  // namespace

Result<int> dev(const CommandLine& line) {
  if (Status started = start_log(line); !started) return tl::unexpected(started.error());
  const std::string file = config::absolute_path(line.file).string();
  const Result<std::string> program = find_program(file);
  if (!program) return tl::unexpected(program.error());
  if (line.print_config) {
    const auto functions = list_functions(*program, file);
    if (!functions) return fail(ExitCode::kConfig, functions.error().front());
    std::fputs(functions->configuration.c_str(), stdout);
    return 0;
  }
  Files files(file);
  const auto load_file = [&] { return load(*program, file, line.listen, files); };
  auto options = load_file();
  if (!options) {
    for (const std::string& problem : options.error())
      log(Level::kError, "not_started", {{"error", problem}});
    options = adapt({}, line.listen, {file, {}});  // no methods: the server waits for a save
    options->config_file = file;
  }
  const TerminalMode restored_at_end;
  return static_cast<int>(
      master::serve(std::move(*options), load_file,
                    [&files](const std::string& name) { return files.has(name); }));
}

}  // namespace ringmaster::cli
