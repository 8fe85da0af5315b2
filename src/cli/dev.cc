#include "cli/dev.h"

#include <cstdio>
#include <filesystem>
#include <fmt/format.h>
#include <rapidjson/document.h>
#include <string>
#include <system_error>
#include <termios.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "base/log.h"
#include "cli/run_program.h"
#include "cli/start_log.h"
#include "config/config.h"
#include "config/key.h"
#include "master/lifecycle/serve.h"

namespace ringmaster::cli {
namespace {

using Problems = std::vector<std::string>;

// That of the handlers: see interpreter.cc.
constexpr const char* kPython = "/usr/bin/python3";
// A developer may be in the debugger. No method's timeout may be longer.
constexpr uint64_t kTimeoutMs = config::kHourMs;

// What _dev.py prints.
struct Functions {
  std::string configuration;
  std::vector<std::string> calls;
};

std::string text_of(const rapidjson::Value& value) {
  return {value.GetString(), value.GetStringLength()};
}

// A debugger edits lines in a mode of the terminal, which a killed worker does not set back. From
// the background the mode is left alone: it is that of another program.
class TerminalMode {
 public:
  TerminalMode() : is_terminal_(::tcgetattr(STDIN_FILENO, &mode_) == 0) {}
  ~TerminalMode() {
    if (is_terminal_ && ::tcgetpgrp(STDIN_FILENO) == ::getpgrp())
      ::tcsetattr(STDIN_FILENO, TCSADRAIN, &mode_);
  }
  TerminalMode(const TerminalMode&) = delete;
  TerminalMode& operator=(const TerminalMode&) = delete;

 private:
  termios mode_{};
  const bool is_terminal_;
};

// Logs the handlers that are left out.
tl::expected<Functions, Problems> list_functions(const std::string& file) {
  std::error_code error;
  if (!std::filesystem::exists(file, error)) {
    return tl::unexpected(Problems{file + ": no such file" + config::did_you_mean_file(file)});
  }
  const auto library =
      config::Paths(file, config::default_handler_folders()).find_library("python");
  if (!library) return tl::unexpected(Problems{library.error()});
  const std::string program =
      std::filesystem::path(*library).replace_extension() / "ringmaster/_dev.py";
  const Result<std::string> printed = run_program({kPython, "-IB", program, file});
  if (!printed) return tl::unexpected(Problems{printed.error().message});
  rapidjson::Document document;
  document.Parse(printed->data(), printed->size());
  if (!document.IsObject()) {
    return tl::unexpected(Problems{file + ": expected text in Unicode, found a lone surrogate"});
  }
  if (document.HasMember("problem")) return tl::unexpected(Problems{text_of(document["problem"])});
  Functions functions{text_of(document["configuration"]), {}};
  for (const auto& call : document["calls"].GetArray())
    functions.calls.push_back(text_of(call));
  for (const auto& one : document["left_out"].GetArray())
    log(Level::kWarning, "left_out", {{"name", text_of(one[0])}, {"why", text_of(one[1])}});
  return functions;
}

// Like load() of a file with the configuration; problems name the file of Python.
tl::expected<master::Options, Problems> load(const std::string& file, const std::string& address) {
  auto functions = list_functions(file);
  if (!functions) return tl::unexpected(std::move(functions.error()));
  config::Loaded loaded = config::load_text(file, functions->configuration);
  if (!loaded.problems.empty()) return tl::unexpected(config::to_strings(loaded.problems));
  master::Options options = std::move(loaded.options);
  options.listen_rpc = {address};
  options.listen_status = "";
  options.worker_count = 1;
  options.worker_debug = true;
  options.start_timeout_ms = kTimeoutMs;
  options.confinement = {ipc::Sandbox::kOff};
  for (ipc::HandlerSpec& handler : options.handlers)
    handler.debug = true;
  for (master::Method& method : options.methods) {
    method.timeout_ms = kTimeoutMs;
    method.attempts = 1;  // or a crash would be debugged twice
  }
  options.development = {file, std::move(functions->calls)};
  return options;
}

}  // namespace

Result<int> dev(const CommandLine& line) {
  if (Status started = start_log(line); !started) return tl::unexpected(started.error());
  const std::string file = config::absolute_path(line.file).string();
  if (line.print_config) {
    const auto functions = list_functions(file);
    if (!functions) return fail(ExitCode::kConfig, functions.error().front());
    std::fputs(functions->configuration.c_str(), stdout);
    return 0;
  }
  auto options = load(file, line.listen);
  if (!options) return fail(ExitCode::kConfig, fmt::format("{}", fmt::join(options.error(), "\n")));
  const TerminalMode restored_at_end;
  return static_cast<int>(
      master::serve(std::move(*options), [&] { return load(file, line.listen); }));
}

}  // namespace ringmaster::cli
