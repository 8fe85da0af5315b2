// CrashStore: keeps on disk the jobs whose workers died: one folder for each, with the reports, and
// with the payload to run the job again.
//
//   FOLDER/crash-20260704T101112.123Z-812-3-17/   time, the master's pid, the job
//     report.txt    what happened
//     params.json   as the client sent them; missing if it sent none
//     input-1 ...   the outputs of the steps before: fetched bodies, results
//
// Processes: the master. Blocking calls, made in libuv's pool. Two deployments may keep crashes
//            during a reload: one thread then waits for the other.
// Death:     a crash appears by one rename, whole or not at all. keep() first removes what a killed
//            master left half-written.
// Limits:    `count` crashes of `total_bytes` (the sum of their files' sizes). keep() removes the
//            oldest before it writes the new one, so the bounds are never exceeded.
// Trust:     payloads are users' data: folders are 0700, files 0600. Files that are not named as
//            above are left alone. A folder belongs to one server. FOLDER is refused if another
//            user owns it or may write to it, or if it is a link. Files in it are opened relative
//            to its descriptor, without following links.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "config/options.h"

namespace ringmaster::master {

struct Crash {
  std::string name;                                        // of its folder
  std::vector<std::pair<std::string, std::string>> files;  // name, content
  uint64_t bytes() const;
};

class CrashStore {
 public:
  explicit CrashStore(Crashes options) : options_(std::move(options)) {}

  // Creates the folder where it is missing. Returns the path of the new crash.
  [[nodiscard]] Result<std::string> keep(const Crash& crash) const;

 private:
  Crashes options_;
};

}  // namespace ringmaster::master
