// One reader for each section of the file. Each adds its problems and fills the options that it
// can, so that later sections can still be checked.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "config/keys.h"
#include "config/options.h"
#include "config/paths.h"
#include "config/problems.h"

namespace ringmaster::config {

// In listen.cc.
void read_listen(Problems& problems, const Entry& section, const Paths& paths, Options& options);

// In workers.cc. Call find_worker_user() after all sections were read: if root starts the server,
// it looks up the workers' user, also the default one.
void read_workers(Problems& problems, const Entry& section, Options& options);
void find_worker_user(Problems& problems, const Value& root, Options& options);

void read_limits(Problems& problems, const Entry& section, Options& options);
void read_crashes(Problems& problems, const Entry& section, const Paths& paths, Options& options);
void read_log(Problems& problems, const Entry& section, Options& options);
void read_telemetry(Problems& problems, const Entry& section, Options& options);
void read_reload(Problems& problems, const Entry& section, Options& options);
void read_shutdown(Problems& problems, const Entry& section, Options& options);
void read_upstreams(Problems& problems, const Entry& section, const Paths& paths, Options& options);

// In handlers.cc.
void read_handlers(Problems& problems, const Entry& section, const Paths& paths, Options& options);

// In fair.cc.
void read_fair(Problems& problems, const Entry& section, Options& options);

// In secrets.cc. secret_texts(): for templates, by name.
void read_secrets(Problems& problems, const Entry& section, const Paths& paths, Options& options);
std::map<std::string, std::string> secret_texts(const Options& options);

// In methods.cc. Steps are looked up among the upstreams and handlers that `options` already has.
void read_methods(Problems& problems, const Entry& section, Options& options);

// In steps.cc. read_fields(): a table of texts.
void read_steps(Problems& problems, const Entry& entry, const Options& options, Method& method);
std::vector<std::pair<std::string, std::string>> read_fields(Problems& problems,
                                                             const Entry& entry);

// In memory.cc. Call it after all sections were read.
void check_memory(Problems& problems, const Value& root, const Options& options);

// Reads the path of a file that must exist, or "".
void read_file(Problems& problems, const Entry& entry, const Paths& paths, std::string& file);
// Like read_file(). Adds a problem, too, if everybody may read the file, or if others than its
// owner may write it.
void read_secret_file(Problems& problems, const Entry& entry, const Paths& paths,
                      std::string& file);

// Reads the tables [SECTION.NAME] of a section; any other value is a problem.
template <class Read>
void for_each_table(Problems& problems, const Entry& section, Read read) {
  if (!problems.expect(section, Kind::kTable, "a table")) return;
  for (const Member& member : section.value->members) {
    const Entry entry = section.member(member);
    if (!problems.expect(entry, Kind::kTable, "a table: [" + section.key + ".NAME]")) continue;
    if (problems.expect_text(entry, member.key, "a name")) read(member.key, entry);
  }
}

}  // namespace ringmaster::config
