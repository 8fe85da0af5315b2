#include "base/log.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "base/fd.h"

namespace ringmaster {
namespace {

// A line must be shorter than PIPE_BUF, 4096 bytes: a pipe has that much room when poll(2) reports
// it as writable.
constexpr size_t kFieldBytesMax = 1000;

struct Log {
  LogOptions options;
  // The log file, or stderr opened once more: no other process shares this open file description,
  // so none can clear its O_NONBLOCK. Not open: lines go to the inherited stderr.
  Fd own;
  bool is_terminal = false;
  std::atomic<uint64_t> lines_lost = 0;
  std::atomic<bool> is_torn = false;  // the last write ended within a line
};

Log& the_log() {
  static Log instance;
  return instance;
}

std::string_view name_of(Level level) {
  static constexpr std::string_view kNames[] = {"info", "warning", "error"};
  return kNames[static_cast<int>(level)];
}

// The level's number in syslog(3): info 6, warning 4, error 3.
int priority_of(Level level) {
  static constexpr int kPriorities[] = {6, 4, 3};
  return kPriorities[static_cast<int>(level)];
}

// The size of the UTF-8 character at the front of the text; 0: invalid UTF-8.
size_t character_bytes(std::string_view text) {
  const auto at = [text](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const unsigned lead = at(0), second = at(1);
  if (lead < 0x80) return 1;
  const size_t size = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  for (size_t i = 1; i < size; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
  }
  const bool is_too_long = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  const bool is_beyond = (lead == 0xed && second > 0x9f) || (lead == 0xf4 && second > 0x8f);
  return is_too_long || is_beyond ? 0 : size;
}

// Escapes the control characters that a terminal obeys: those below a space, DEL, and C1 (U+0080 to
// U+009F, also as single bytes); and every byte that is not UTF-8.
void append_quoted(std::string& line, std::string_view text) {
  line += '"';
  const size_t end = line.size() + kFieldBytesMax;  // an escaped byte takes six
  while (!text.empty()) {
    if (line.size() > end) {
      line += "...";
      break;
    }
    const size_t size = character_bytes(text);
    const std::string_view character = text.substr(0, std::max<size_t>(size, 1));
    text.remove_prefix(character.size());
    const char c = character.front();
    const auto byte = static_cast<unsigned char>(character.back());
    const bool is_c1 = size == 2 && c == '\xc2' && byte < 0xa0;
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (c == '\n') {
      line += "\\n";
    } else if (size == 0 || is_c1 || byte < 0x20 || byte == 0x7f) {
      line += fmt::format("\\u{:04x}", byte);
    } else {
      line += character;
    }
  }
  line += '"';
}

bool is_plain(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c <= '~' && c != '"' && c != '=' && c != '\\';
  });
}

void append_field(std::string& line, const LogField& field, bool json) {
  if (json) {
    line += line.back() == '{' ? "" : ",";
    append_quoted(line, field.key);
    line += ':';
  } else {
    line += field.key;
    line += '=';
  }
  const bool is_long = field.text.size() > kFieldBytesMax;
  std::string text = field.text.substr(0, kFieldBytesMax);
  if (is_long) text.append("...");
  if (field.is_number || (!json && is_plain(text))) {
    line += text;
  } else {
    append_quoted(line, text);
  }
  if (!json) line += ' ';
}

int log_fd() {
  const Log& log = the_log();
  return log.own.is_open() ? log.own.get() : STDERR_FILENO;
}

// O_NONBLOCK: for a FIFO without a reader, open(2) fails at once and does not wait.
Result<Fd> open_log_file(const std::string& path) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  Fd file(::open(path.c_str(), kFlags, 0640));
  if (!file.is_open()) return fail_errno("open the log file " + path, errno);
  return file;
}

// Returns a closed Fd where stderr cannot or need not be opened again. A socket cannot:
// each send(2) gets MSG_DONTWAIT instead. A regular file need not: it has no reader to wait for,
// and all its writers must share one offset. (A write to a file can still wait for the disk: for
// writeback, and for the inode's lock.)
Fd reopen_stderr() {
  struct stat status {};
  if (::fstat(STDERR_FILENO, &status) != 0) return Fd();
  if (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode)) return Fd();
  return Fd(::open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

}  // namespace

Status set_up_log(LogOptions options) {
  Log& log = the_log();
  Result<Fd> own = options.file.empty() ? reopen_stderr() : open_log_file(options.file);
  if (!own) return tl::unexpected(own.error());
  log.options = std::move(options);
  log.own = std::move(*own);
  log.is_terminal = ::isatty(log_fd()) == 1;
  return {};
}

Status reopen_log() {
  return set_up_log(the_log().options);
}

namespace {

using Time = std::chrono::sys_time<std::chrono::milliseconds>;

Time time_now() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

int ms_of(Time time) {
  return static_cast<int>(time.time_since_epoch().count() % 1000);
}

struct Event {
  Level level;
  const LogSource* source;  // null: this process
  std::string_view name;
  std::span<const LogField> fields;
};

void append_fields(std::string& line, std::span<const LogField> fields, bool json) {
  for (const LogField& field : fields)
    append_field(line, field, json);
}

// "17:03:09.412 warning worker_died            worker=3 signal=SIGKILL "
void append_for_terminal(std::string& line, const Log& log, const Event& event) {
  static constexpr std::string_view kColours[] = {"\x1b[32m", "\x1b[33m", "\x1b[31m"};
  const bool colours = log.options.colours;
  const Time now = time_now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  line += fmt::format("{:%H:%M:%S}.{:03} {}{:<7}{} {:<22} ", local, ms_of(now),
                      colours ? kColours[static_cast<int>(event.level)] : "", name_of(event.level),
                      colours ? "\x1b[0m" : "", event.name);
  if (event.source != nullptr) {
    append_field(line, {"role", event.source->role}, false);
    append_fields(line, event.source->fields, false);
  } else if (event.fields.empty()) {
    line.resize(line.find_last_not_of(' ') + 2);
  }
  append_fields(line, event.fields, false);
}

void append_for_programs(std::string& line, const Log& log, const Event& event) {
  const bool json = log.options.json;
  if (!log.options.file.empty()) {
    const Time now = time_now();
    append_field(line, {"time", fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", now, ms_of(now))}, json);
  }
  append_field(line, {"level", name_of(event.level)}, json);
  if (event.source != nullptr) {
    append_field(line, {"role", event.source->role}, json);
    append_fields(line, event.source->fields, json);
  } else {
    append_field(line, {"role", log.options.role}, json);
    append_field(line, {"pid", ::getpid()}, json);
  }
  append_field(line, {"event", event.name}, json);
  append_fields(line, event.fields, json);
}

std::string line_of(const Log& log, const Event& event) {
  const bool json = log.options.json;
  std::string line =
      log.options.journal_priority ? fmt::format("<{}>", priority_of(event.level)) : "";
  if (json) line += '{';
  const auto append = log.options.terminal ? append_for_terminal : append_for_programs;
  append(line, log, event);
  if (json) {
    line += "}\n";
  } else {
    line.back() = '\n';  // instead of the space after the last field
  }
  return line;
}

bool has_room(int fd) {
  pollfd out{fd, POLLOUT, 0};
  return ::poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0;
}

ssize_t write_now(int fd, const std::string& line) {
  const ssize_t sent = ::send(fd, line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent < 0 && errno == ENOTSOCK ? ::write(fd, line.data(), line.size()) : sent;
}

// Where TOSTOP is set (stty tostop), the kernel sends SIGTTOU to a background process that writes
// to its terminal, and restarts the write, again and again. A thread that blocks SIGTTOU can write.
ssize_t write_to_terminal(int fd, const std::string& line) {
  sigset_t stop, before;
  ::sigemptyset(&stop);
  ::sigaddset(&stop, SIGTTOU);
  ::pthread_sigmask(SIG_BLOCK, &stop, &before);
  const ssize_t written = ::write(fd, line.data(), line.size());
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return written;
}

void write_line(const Event& event) {
  Log& log = the_log();
  const int fd = log_fd();
  if (!has_room(fd)) {
    ++log.lines_lost;
    return;
  }
  std::string line = line_of(log, event);
  const uint64_t lost = log.lines_lost.exchange(0);
  if (lost > 0) {
    const LogField count("count", lost);
    line.insert(0, line_of(log, {Level::kWarning, nullptr, "log_lines_lost", {&count, 1}}));
  }
  const bool was_torn = log.is_torn.exchange(false);
  if (was_torn) line.insert(0, 1, '\n');
  const ssize_t written = log.is_terminal ? write_to_terminal(fd, line) : write_now(fd, line);
  if (written >= 0 && static_cast<size_t>(written) == line.size()) return;
  // A failure to write the log cannot be reported: the line is lost, the server goes on.
  log.lines_lost += written < 0 ? lost + 1 : 1;
  log.is_torn = was_torn || written > 0;
}

}  // namespace

void log(Level level, std::string_view event, std::span<const LogField> fields) {
  write_line({level, nullptr, event, fields});
}

void log(Level level, const LogSource& source, std::string_view event,
         std::span<const LogField> fields) {
  write_line({level, &source, event, fields});
}

uint64_t log_backlog() {
  struct stat status {};
  int bytes = 0;
  pollfd gone{log_fd(), 0, 0};  // POLLERR and POLLHUP are reported unasked
  if (::fstat(log_fd(), &status) != 0 || ::poll(&gone, 1, 0) != 0) return 0;
  const unsigned long request = S_ISFIFO(status.st_mode) ? FIONREAD : SIOCOUTQ;
  return ::ioctl(log_fd(), request, &bytes) == 0 ? static_cast<uint64_t>(bytes) : 0;
}

}  // namespace ringmaster
