#include "master/supervisor/outputs.h"

#include <algorithm>
#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace ringmaster::master {
namespace {

// More than a socket holds, if the system's limit (net.core.wmem_max) is not raised.
constexpr size_t kUnreadBytesMax = 1 << 20;

// The offset at which the last kLastLinesMax lines begin, at most `bytes_max` before the end.
size_t begin_of_last_words(std::string_view text, size_t bytes_max) {
  size_t begin = text.size();
  for (size_t lines = 0; begin > 0 && lines < Outputs::kLastLinesMax; ++lines) {
    const size_t before = begin < 2 ? std::string_view::npos : text.rfind('\n', begin - 2);
    begin = before == std::string_view::npos ? 0 : before + 1;
  }
  return std::max(begin, text.size() - std::min(bytes_max, text.size()));
}

}  // namespace

Outputs::Outputs(uv_loop_t* loop, uint32_t worker_slots, bool is_development, Events events)
    : loop_(loop),
      is_development_(is_development),
      events_(std::move(events)),
      sources_(worker_slots + 1) {
  for (uint32_t i = 0; i < sources_.size(); ++i) {
    sources_[i].outputs = this;
    sources_[i].number = i;
  }
}

int Outputs::input() const {
  const bool is_in_background =
      ::isatty(STDIN_FILENO) == 1 && ::tcgetpgrp(STDIN_FILENO) != ::getpgrp();
  return is_development_ && !is_in_background ? STDIN_FILENO : -1;
}

Result<Fd> Outputs::open(uint32_t source) {
  if (is_development_) {
    Fd terminal(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
    if (!terminal.is_open()) return fail_errno("stderr for a process's output", errno);
    return terminal;
  }
  Source& opened = sources_[source];
  close(opened);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return fail_errno("socket for a process's output", errno);
  opened.socket = Fd(ends[0]);
  Fd write_end(ends[1]);
  // The socket's other direction is closed: a process that reads from it finds the end at once.
  if (::fcntl(opened.socket.get(), F_SETFL, O_NONBLOCK) != 0 ||
      ::shutdown(opened.socket.get(), SHUT_WR) != 0) {
    const int error = errno;
    opened.socket.reset();
    return fail_errno("set up the socket for a process's output", error);
  }
  opened.poll = make_handle<uv_poll_t>(loop_, &opened, uv_poll_init, opened.socket.get());
  if (opened.credit > 0) poll(opened);
  return write_end;
}

void Outputs::poll(Source& source) {
  uv_poll_start(source.poll.get(), UV_READABLE, [](uv_poll_t* poll, int, int) {
    auto* readable = static_cast<Source*>(poll->data);
    readable->outputs->read(*readable);
  });
}

void Outputs::read(Source& source) {
  char bytes[kReadBytes];
  for (size_t taken = 0; taken < kTurnBytes; taken += sizeof bytes) {
    if (source.credit <= 0 || log_backlog() > kBacklogMax) {
      uv_poll_stop(source.poll.get());
      return;
    }
    const ssize_t size = ::read(source.socket.get(), bytes, sizeof bytes);
    if (size < 0) return;
    if (size == 0) return close(source);  // the process has closed it
    take(source, {bytes, static_cast<size_t>(size)});
  }
}

void Outputs::take(Source& source, std::string_view bytes) {
  if (!source.lines.has_begun() || is_over(source)) {
    flush(source);
    source.printer = find_printer(source);
  }
  // A read costs the master more than a few bytes do.
  source.credit -= std::max(static_cast<int64_t>(bytes.size()), kLineCost);
  source.lines.add(bytes, [&](std::string_view text, uint64_t cut) { write(source, text, cut); });
}

void Outputs::flush(Source& source) {
  source.lines.flush([&](std::string_view text, uint64_t cut) { write(source, text, cut); });
}

RunStage::Printer Outputs::find_printer(const Source& source) const {
  return source.number == fork_server() ? RunStage::Printer{} : events_.find_printer(source.number);
}

// Whether the job that has begun the line has ended.
bool Outputs::is_over(const Source& source) const {
  if (source.printer.request == 0) return find_printer(source) != source.printer;
  return !events_.has_in_hand(source.number, source.printer.request);
}

// Whether a worker has begun the line while it had no job. No job's end will end it.
bool Outputs::is_nobodys(const Source& source) const {
  return source.number != fork_server() && source.printer == RunStage::Printer{};
}

void Outputs::finish(uint32_t number) {
  Source& source = sources_[number];
  std::string rest;
  char bytes[kReadBytes];
  while (source.socket.is_open() && rest.size() < kUnreadBytesMax) {
    const ssize_t size = ::read(source.socket.get(), bytes, sizeof bytes);
    if (size <= 0) break;
    rest.append(bytes, static_cast<size_t>(size));
  }
  const int64_t allowed =
      log_backlog() > kBacklogMax ? 0 : std::clamp(source.credit, kLastBytesMin, kLastBytesMax);
  if (const size_t lost = begin_of_last_words(rest, static_cast<size_t>(allowed)); lost > 0) {
    flush(source);
    const LogField count("bytes", lost);
    const std::vector<LogField> process = events_.name_process(number);
    log(Level::kWarning, {number == fork_server() ? "fork-server" : "worker", process},
        "output_lost", {&count, 1});
    rest.erase(0, lost);
  }
  if (!rest.empty()) take(source, rest);
  flush(source);
  close(source);
}

void Outputs::close(Source& source) {
  source.poll.reset();
  source.socket.reset();
}

void Outputs::finish_all() {
  for (uint32_t i = 0; i < sources_.size(); ++i)
    finish(i);
}

void Outputs::on_tick(int64_t budget) {
  const auto waiting = std::count_if(sources_.begin(), sources_.end(),
                                     [](const Source& source) { return source.is_paused(); });
  const int64_t share = budget / std::max<int64_t>(waiting, 1);
  for (Source& source : sources_) {
    source.credit = std::min(source.credit + share, kCreditMax);
    if (source.is_paused() && source.credit > 0) poll(source);
    if (source.lines.has_begun() && (is_over(source) || is_nobodys(source))) flush(source);
  }
}

void Outputs::write(Source& source, std::string_view text, uint64_t cut_bytes) {
  source.credit -= kLineCost;
  std::vector<LogField> fields;
  if (source.printer.request != 0) fields.emplace_back("request", source.printer.request);
  if (source.printer.method != nullptr) fields.emplace_back("method", source.printer.method->name);
  fields.emplace_back("text", text);
  if (cut_bytes > 0) fields.emplace_back("cut_bytes", cut_bytes);
  const std::vector<LogField> process = events_.name_process(source.number);
  log(Level::kInfo, {source.number == fork_server() ? "fork-server" : "worker", process}, "output",
      fields);
}

}  // namespace ringmaster::master
