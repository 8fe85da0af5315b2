// [workers]: their number, their confinement, and when they are replaced.
#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include "base/ascii.h"
#include "config/sections.h"

namespace ringmaster::config {
namespace {

void read_sandbox(Problems& problems, const Entry& entry, ipc::Sandbox& sandbox) {
  if (entry.value->kind == Kind::kString && entry.value->text == kBestEffort) {
    sandbox = ipc::Sandbox::kBestEffort;
  } else if (problems.expect(entry, Kind::kBoolean,
                             "true, false or " + quote_string(kBestEffort))) {
    sandbox = entry.value->boolean ? ipc::Sandbox::kFull : ipc::Sandbox::kOff;
  }
}

void read_spare(Problems& problems, const Entry& entry, ipc::Confinement& confinement) {
  bool keeps_spare = false;
  problems.read_flag(entry, keeps_spare);
  confinement.keeps_spare = keeps_spare;
}

}  // namespace

void read_workers(Problems& problems, const Entry& section, Options& options) {
  const auto read = [&](std::string_view name, const Entry& entry) {
    if (name == "sandbox") return read_sandbox(problems, entry, options.confinement.sandbox);
    if (name == "debug") return problems.read_flag(entry, options.worker_debug);
    if (name == "spare") return read_spare(problems, entry, options.confinement);
    if (name == "profile") return problems.read_flag(entry, options.worker_profile);
    const auto user = problems.read_text(entry, "the name or the number of a user");
    if (user) options.worker_user = *user;
  };
  read_table(problems, section, kWorkersKeys, options, read);
}

void find_worker_user(Problems& problems, const Value& root, Options& options) {
  if (::geteuid() != 0) return;
  const std::string& name = options.worker_user;
  const passwd* found = ::getpwnam(name.c_str());
  const auto number = to_number<uint32_t>(name);
  if (found == nullptr && number) found = ::getpwuid(*number);
  if (found == nullptr && !number) {
    return problems.add(line_of(root, {"workers", "user"}), "workers.user",
                        fmt::format("expected the name or the number of a user: workers run as "
                                    "this user, since root starts the server; found {}, and no "
                                    "user has that name",
                                    quote_string(name)));
  }
  ipc::Confinement& confinement = options.confinement;
  confinement.user_id = found == nullptr ? *number : found->pw_uid;
  confinement.group_id = found == nullptr ? *number : found->pw_gid;
  confinement.changes_user = confinement.user_id != 0;
}

}  // namespace ringmaster::config
