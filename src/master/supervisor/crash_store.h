// CrashStore: what is kept on disk of jobs whose workers died: one folder for each, with what a
// person needs to see why and to run the job again.
//
//   FOLDER/crash-20260704T101112.123Z-812-3-17/   time, the master's pid, the job
//     report.txt    what happened
//     params.json   as the client sent them; none where it sent none
//     input-1 ...   what the steps before brought: fetched bodies, results
//
// Processes: the master. These are blocking calls, made in libuv's pool; of several threads (two
//            deployments may keep crashes during a reload) one waits for the other.
// Death:     a crash appears by one rename, whole or not at all. What a killed master left
//            half-written is removed before the next one is kept.
// Limits:    `count` crashes of `total_bytes` (the sum of their files' sizes). What is too much is
//            removed, oldest first, before the new one is written: the bounds are never exceeded.
// Trust:     payloads are users' data: folders are 0700, files 0600. Nothing is touched that is not
//            named as above. A folder belongs to one server. One that another user owns or may
//            write to is refused, and so is a link; everything below is opened relative to the
//            folder's descriptor, and links in it are not followed.
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

  // Makes the folder where it is missing. The path of the crash that was kept.
  [[nodiscard]] Result<std::string> keep(const Crash& crash) const;

 private:
  Crashes options_;
};

}  // namespace ringmaster::master
