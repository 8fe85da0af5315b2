#include "base/log.h"

#include <atomic>
#include <chrono>
#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>
#include <utility>

#include "base/fd.h"

namespace ringmaster {
namespace {

// A line must be shorter than what a pipe has room for when it has any: PIPE_BUF, 4096 bytes.
constexpr size_t kFieldBytesMax = 1000;

struct Log {
  LogOptions options;
  Fd file;
  std::atomic<uint64_t> lines_lost = 0;
};

Log& the_log() {
  static Log instance;
  return instance;
}

std::string_view name_of(Level level) {
  static constexpr std::string_view kNames[] = {"info", "warning", "error"};
  return kNames[static_cast<int>(level)];
}

// What syslog(3) calls the level: info 6, warning 4, error 3.
int priority_of(Level level) {
  static constexpr int kPriorities[] = {6, 4, 3};
  return kPriorities[static_cast<int>(level)];
}

void append_quoted(std::string& line, std::string_view text) {
  line += '"';
  for (char c : text) {
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (c == '\n') {
      line += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      line += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      line += c;
    }
  }
  line += '"';
}

bool is_plain(std::string_view text) {
  if (text.empty()) return false;
  for (char c : text) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '=' || c == '\\') return false;
  }
  return true;
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
  const std::string text = is_long ? field.text.substr(0, kFieldBytesMax) + "..." : field.text;
  if (field.is_number || (!json && is_plain(text))) {
    line += text;
  } else {
    append_quoted(line, text);
  }
  if (!json) line += ' ';
}

Result<Fd> open_log_file(const std::string& path) {
  Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
  if (!file.is_open()) return fail_errno("open the log file " + path, errno);
  return file;
}

}  // namespace

Status set_up_log(LogOptions options) {
  Log& log = the_log();
  Fd file;
  if (!options.file.empty()) {
    Result<Fd> opened = open_log_file(options.file);
    if (!opened) return tl::unexpected(opened.error());
    file = std::move(*opened);
  }
  log.options = std::move(options);
  log.file = std::move(file);
  return {};
}

Status reopen_log() {
  return set_up_log(the_log().options);
}

namespace {

std::string line_of(const Log& log, Level level, std::string_view event,
                    std::span<const LogField> fields) {
  const bool json = log.options.json;
  std::string line = log.options.journal_priority ? fmt::format("<{}>", priority_of(level)) : "";
  if (json) line += '{';
  if (log.file.is_open()) {
    const auto now =
        std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    const auto ms = now.time_since_epoch().count() % 1000;
    append_field(line, {"time", fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", now, ms)}, json);
  }
  append_field(line, {"level", name_of(level)}, json);
  append_field(line, {"role", log.options.role}, json);
  append_field(line, {"pid", ::getpid()}, json);
  append_field(line, {"event", event}, json);
  for (const LogField& field : fields)
    append_field(line, field, json);
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

}  // namespace

void log(Level level, std::string_view event, std::span<const LogField> fields) {
  Log& log = the_log();
  const int fd = log.file.is_open() ? log.file.get() : STDERR_FILENO;
  if (!has_room(fd)) {
    ++log.lines_lost;
    return;
  }
  std::string line = line_of(log, level, event, fields);
  if (const uint64_t lost = log.lines_lost.exchange(0); lost > 0) {
    const LogField count("count", lost);
    line.insert(0, line_of(log, Level::kWarning, "log_lines_lost", {&count, 1}));
  }
  // A log that cannot be written has nobody left to tell: the line is lost, the server goes on.
  [[maybe_unused]] const ssize_t written = ::write(fd, line.data(), line.size());
}

}  // namespace ringmaster
