// log(): one line per event on stderr or in a file, as logfmt or JSON.
//
//   log(Level::kWarning, "worker_died", {{"worker", 3}, {"signal", "SIGKILL"}});
//   -> level=warning role=master pid=812 event=worker_died worker=3 signal=SIGKILL
//
// Processes: the master and the tools. base, ipc, rpc and work never log: they return.
// Death:     a line is one write(2): it is there whole or not at all, but for a line that is longer
//            than PIPE_BUF and meets a pipe with less room.
// Blocking:  a pipe, a terminal or a socket that nobody reads blocks nobody: while it is full lines
//            are lost, and the next one that is not follows one that counts them. This depends on
//            no flag that another process can change: a pipe and a terminal are opened once more,
//            a socket has a flag for each call. Only a pipe of another user, which cannot be opened
//            again, is looked at and then written to as it was inherited.
// Limits:    of a field, its first 1000 bytes; control characters are escaped, and invalid UTF-8.
// Threads:   callable from any; set_up_log() before the first other thread starts.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"

namespace ringmaster {

enum class Level { kInfo, kWarning, kError };

struct LogOptions {
  std::string role;  // of this process, on every line
  bool json = false;
  bool journal_priority = false;  // "<6>" before each line, as systemd's journal reads it
  std::string file;               // empty: stderr. Lines in a file begin with the time (UTC)
};

struct LogField {
  LogField(std::string_view k, std::string_view v) : key(k), text(v) {}
  LogField(std::string_view k, const char* v) : key(k), text(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), text(v) {}
  template <std::integral T>
  LogField(std::string_view k, T v) : key(k), text(std::to_string(v)), is_number(true) {}

  std::string_view key;
  std::string text;
  bool is_number = false;
};

// Says where lines go from now on. Fails (71) when the file cannot be opened; lines then still go
// where they went before.
[[nodiscard]] Status set_up_log(LogOptions options);

// Opens the log file again, after a rotation moved it away. Without a file: nothing to do.
[[nodiscard]] Status reopen_log();

void log(Level level, std::string_view event, std::span<const LogField> fields);
inline void log(Level level, std::string_view event, std::initializer_list<LogField> fields = {}) {
  log(level, event, std::span(fields.begin(), fields.size()));
}

}  // namespace ringmaster
