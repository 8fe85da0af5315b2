// Outputs: what the processes of a generation print, as lines of the log (event=output).
//
// Each worker, and the fork server, has one end of a socket pair of its own as stdout and stderr.
// In development (`ringmaster dev`) the processes have the master's stdin and stderr instead, so
// that a debugger can talk with the terminal. Their output is not logged then. A master in the
// background of a terminal does not give them its stdin: people type there for another program.
// Processes: the master only.
// Blocking:  reads never wait: the other end is the master's alone, so no other process can clear
//            its O_NONBLOCK. A pipe would not do: whatever its flags, its reader waits for a lock
//            that a writer holds while the kernel brings in the pages that the writer writes, and a
//            hostile worker can delay this. The writer of a socket holds no such lock.
//            A source whose credit is used up is not read until the next tick. No source is read
//            while the log's reader is behind: the master's own lines need the room. When a socket
//            is full, only the process that writes to it waits.
// Death:     when a process has ended, finish() logs the end of its unread output: at most
//            kLastLinesMax lines, and as many bytes as its credit, but at least kLastBytesMin and
//            at most kLastBytesMax; nothing while the log's reader is behind.
// Limits:    one descriptor and one line for each source; kTurnBytes of each in a turn of the loop.
#pragma once

#include <functional>
#include <string_view>
#include <uv.h>
#include <vector>

#include "base/fd.h"
#include "base/log.h"
#include "base/status.h"
#include "base/uv_handle.h"
#include "master/pipeline/run_stage.h"
#include "master/supervisor/output_lines.h"

namespace ringmaster::master {

class Outputs {
 public:
  static constexpr size_t kTurnBytes = 4096;
  // Printed as lines of one byte, this many bytes become 25 KB of the log.
  static constexpr size_t kReadBytes = 512;
  // A backlog of this size, and the lines of one more read, fit into a pipe of 64 KiB.
  static constexpr uint64_t kBacklogMax = 16 << 10;
  static constexpr int64_t kLastBytesMin = 4 << 10;
  static constexpr int64_t kLastBytesMax = 16 << 10;
  static constexpr size_t kLastLinesMax = 32;
  static constexpr int64_t kCreditMax = 64 << 10;
  // The credit that a line costs beyond its bytes, since the log takes time for each line.
  static constexpr int64_t kLineCost = 64;

  struct Events {
    // The job for which this worker has most likely printed the bytes that were just read.
    std::function<RunStage::Printer(uint32_t worker)> find_printer;
    std::function<bool(uint32_t worker, uint64_t request)> has_in_hand;
    // The fields that name the process of this source.
    std::function<std::vector<LogField>(uint32_t source)> name_process;
  };

  // Sources: the worker slots by number, and then the fork server.
  Outputs(uv_loop_t* loop, uint32_t worker_slots, bool is_development, Events events);

  uint32_t fork_server() const { return static_cast<uint32_t>(sources_.size() - 1); }

  // The descriptor for the stdin of the processes; -1: they have none.
  int input() const;
  // A new socket pair for the process that will be started. Returns that process's end; in
  // development, the master's stderr. REQUIRES: the source's former process is finished.
  [[nodiscard]] Result<Fd> open(uint32_t source);
  // Call when the process has ended: logs the rest of its output, and closes its socket.
  void finish(uint32_t source);
  void finish_all();

  // Shares `budget` bytes among the sources that wait. Ends the workers' lines whose job has ended,
  // or that no job has begun.
  void on_tick(int64_t budget);

 private:
  struct Source {
    Outputs* outputs = nullptr;
    uint32_t number = 0;
    Fd socket;
    UvHandle<uv_poll_t> poll;
    OutputLines lines;
    RunStage::Printer printer;  // of the line that has begun
    int64_t credit = kCreditMax;

    // Whether the source is not read until the next tick.
    bool is_paused() const {
      return poll && uv_is_active(reinterpret_cast<const uv_handle_t*>(poll.get())) == 0;
    }
  };

  void poll(Source& source);
  void read(Source& source);
  void close(Source& source);
  void take(Source& source, std::string_view bytes);
  void flush(Source& source);
  RunStage::Printer find_printer(const Source& source) const;
  bool is_over(const Source& source) const;
  bool is_nobodys(const Source& source) const;
  void write(Source& source, std::string_view text, uint64_t cut_bytes);

  uv_loop_t* loop_;
  const bool is_development_;
  Events events_;
  std::vector<Source> sources_;
};

}  // namespace ringmaster::master
