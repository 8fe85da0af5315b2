// log(): one line per event on stderr or in a file, as logfmt or JSON.
//
//   log(Level::kWarning, "worker_died", {{"worker", 3}, {"signal", "SIGKILL"}});
//   -> level=warning role=master pid=812 event=worker_died worker=3 signal=SIGKILL
//   -> 17:03:09.412 warning worker_died            worker=3 signal=SIGKILL     (on a terminal)
//
// Processes: the master and the tools. base, ipc, rpc and worker never log: they return errors.
// Death:     a line is one write(2): written whole or not at all, except a line longer than
//            PIPE_BUF to a pipe with less room.
// Blocking:  log() never waits for a reader, but a write to a file can wait for the disk. While a
//            pipe, a terminal or a socket is full, lines are lost. A line with their number
//            precedes the next written line. A process that clears O_NONBLOCK on the inherited
//            stderr cannot make log() wait: log() opens a pipe or a terminal anew, and sends to a
//            socket with MSG_DONTWAIT. Only another user's pipe, which cannot be opened anew, is
//            polled and then written to as inherited. log() also writes from the background of a
//            terminal, whatever `stty tostop` says.
// Limits:    the first 1000 bytes of a field; control characters and invalid UTF-8 are escaped.
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
  // For a person at a terminal: local time, level, event, then the fields; without this process's
  // own role and pid.
  bool terminal = false;  // not with `json` or `file`
  bool colours = false;   // colours the level; only with `terminal`
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

// Another process, for which the master writes a line: `fields` name it (worker=, gen=, pid=).
struct LogSource {
  std::string_view role;
  std::span<const LogField> fields;
};

// Sets where lines go from now on. Fails (71) when the file cannot be opened, and then changes
// nothing.
[[nodiscard]] Status set_up_log(LogOptions options);

// Opens the log file again, after a rotation has moved it. Without a file: does nothing.
[[nodiscard]] Status reopen_log();

void log(Level level, std::string_view event, std::span<const LogField> fields);
void log(Level level, const LogSource& source, std::string_view event,
         std::span<const LogField> fields);
inline void log(Level level, std::string_view event, std::initializer_list<LogField> fields = {}) {
  log(level, event, std::span(fields.begin(), fields.size()));
}

// The bytes that the reader of the log has not taken yet. 0: the log goes to a file, or its reader
// is gone.
uint64_t log_backlog();

}  // namespace ringmaster
