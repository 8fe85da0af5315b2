// CrashStore: keeps on disk the jobs whose workers died, and slow jobs: one file for each, with all
// that its step needs to run again (base/json/kept_job.h) and, for people, with what happened.
//
//   FOLDER/crash-20260704T101112.123Z-812-17.json   time, the master's pid, the request's number
//   FOLDER/slow-20260704T101114.456Z-812-23.json
//
// Processes: the master. Blocking calls, made in libuv's pool. Two deployments may keep jobs during
//            a reload: one thread then waits for the other.
// Death:     a file appears by one rename, whole or not at all. keep() first removes what a killed
//            master left half-written.
// Limits:    for each kind, `count` files and `total_bytes` bytes, so that slow jobs never displace
//            crashed ones. keep() removes the oldest of the kind before it writes the new one, so
//            the bounds are never exceeded.
// Trust:     payloads are users' data: the folder is 0700, files 0600. Files that are not named as
//            above are left alone. A folder belongs to one server. FOLDER is refused if another
//            user owns it or may write to it, or if it is a link. Files in it are opened relative
//            to its descriptor, without following links.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/fd.h"
#include "base/status.h"
#include "config/options.h"

namespace ringmaster::master {

class CrashStore {
 public:
  // `kind`: "crash" or "slow".
  CrashStore(std::string_view kind, Crashes options)
      : prefix_(std::string(kind) + '-'), options_(std::move(options)) {}

  // Creates the folder where it is missing. Returns the path of the new file. REQUIRES: `name`
  // begins with the kind and '-'.
  [[nodiscard]] Result<std::string> keep(const std::string& name, std::string_view text) const;

 private:
  Status make_room(const Fd& folder, uint64_t bytes) const;

  std::string prefix_;
  Crashes options_;
};

}  // namespace ringmaster::master
