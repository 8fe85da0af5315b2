#include "config/sections.h"

#include <fmt/format.h>
#include <utility>

#include "config/addresses.h"
#include "config/tokens.h"

namespace ringmaster::config {
namespace {

constexpr auto kNothingElse = [](std::string_view, const Entry&) {};

}  // namespace

void read_file(Problems& problems, const Entry& entry, const Paths& paths, std::string& file) {
  if (entry.is_empty_text()) return;
  const auto path = problems.read_text(entry, "the path of a file, or \"\"");
  if (!path) return;
  const auto found = paths.find(*path);
  if (found) file = *found;
  if (!found) problems.add(entry, found.error());
}

void read_secret_file(Problems& problems, const Entry& entry, const Paths& paths,
                      std::string& file) {
  read_file(problems, entry, paths, file);
  if (const auto fault = find_fault_in_mode(file)) problems.add(entry, *fault);
}

void read_limits(Problems& problems, const Entry& section, Options& options) {
  read_table(problems, section, kLimitsKeys, options.limits, kNothingElse);
}

void read_crashes(Problems& problems, const Entry& section, const Paths& paths, Options& options) {
  const auto read_folder = [&](std::string_view, const Entry& entry) {
    if (entry.is_empty_text()) return;  // off
    const auto path = problems.read_text(entry, "the path of a folder, or \"\"");
    if (path) options.crashes.folder = paths.beside_config(*path);
  };
  read_table(problems, section, kCrashesKeys, options.crashes, read_folder);
}

void read_log(Problems& problems, const Entry& section, Options& options) {
  const auto read_access = [&](std::string_view, const Entry& entry) {
    const Value& value = *entry.value;
    const uint64_t min = kLogKeys[0].min, max = kLogKeys[0].max;
    if (value.kind == Kind::kString && value.text == "off") {
      options.access_log_every = 0;
    } else if (value.kind == Kind::kString && value.text == "all") {
      options.access_log_every = 1;
    } else if (value.kind == Kind::kInteger && std::cmp_greater_equal(value.integer, min) &&
               std::cmp_less_equal(value.integer, max)) {
      options.access_log_every = static_cast<uint64_t>(value.integer);
    } else {
      problems.add(entry, fmt::format("expected \"off\", \"all\", or {} to {}, found {}", min, max,
                                      describe(value)));
    }
  };
  read_table(problems, section, kLogKeys, options, read_access);
}

void read_shutdown(Problems& problems, const Entry& section, Options& options) {
  read_table(problems, section, kShutdownKeys, options, kNothingElse);
}

void read_reload(Problems& problems, const Entry& section, Options& options) {
  read_table(problems, section, kReloadKeys, options, kNothingElse);
}

void read_telemetry(Problems& problems, const Entry& section, Options& options) {
  const auto read = [&](std::string_view name, const Entry& entry) {
    if (name == "service") {
      const auto service = problems.read_text(entry, "a name");
      if (service) options.telemetry.service = *service;
      return;
    }
    if (entry.is_empty_text()) return;  // off
    const auto url = problems.read_text(entry, "a URL, or \"\"");
    if (!url) return;
    options.telemetry.otlp = *url;
    const auto fault = find_fault_in_url(*url);
    if (fault) problems.add(entry, *fault);
  };
  read_table(problems, section, kTelemetryKeys, options.telemetry, read);
}

}  // namespace ringmaster::config
