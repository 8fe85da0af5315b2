#include "config/sections.h"

#include "config/addresses.h"

namespace ringmaster::config {
namespace {

constexpr auto kNothingElse = [](std::string_view, const Entry&) {};

}  // namespace

void read_limits(Problems& problems, const Entry& section, Options& options) {
  read_table(problems, section, kLimitsKeys, options.limits, kNothingElse);
}

void read_crashes(Problems& problems, const Entry& section, const Paths& paths, Options& options) {
  const auto read_folder = [&](std::string_view, const Entry& entry) {
    if (entry.value->kind == Kind::kString && entry.value->text.empty()) return;  // off
    const auto path = problems.read_text(entry, "the path of a folder, or \"\"");
    if (path) options.crashes.folder = paths.beside_config(*path);
  };
  read_table(problems, section, kCrashesKeys, options.crashes, read_folder);
}

void read_shutdown(Problems& problems, const Entry& section, Options& options) {
  read_table(problems, section, kShutdownKeys, options, kNothingElse);
}

void read_upstreams(Problems& problems, const Entry& section, Options& options) {
  for_each_table(problems, section, [&](const std::string& name, const Entry& table) {
    UpstreamOptions upstream;
    upstream.name = name;
    read_table(problems, table, kUpstreamsKeys, upstream,
               [&](std::string_view, const Entry& entry) {
                 const auto url = problems.read_text(entry, "a URL");
                 if (!url) return;
                 upstream.url = *url;
                 const auto fault = find_fault_in_url(*url);
                 if (fault) problems.add(entry, *fault);
               });
    if (find(*table.value, "url") == nullptr) {
      problems.add(table,
                   "has no url; expected one, such as url = \"http://127.0.0.1:7080/features\"");
    }
    options.upstreams.push_back(std::move(upstream));
  });
}

}  // namespace ringmaster::config
