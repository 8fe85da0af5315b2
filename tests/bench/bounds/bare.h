// A server that does only what no server can leave out: it waits, reads, copies once, and writes.
//
// It relies on the form of `ringmaster bench`'s lines, and parses no JSON: the bytes up to
// `,"method":` begin the answer, the bytes behind `"params":` end it. Errors end the program.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace ringmaster::bench {

inline int checked(int result, const char* what) {
  if (result < 0) {
    std::perror(what);
    std::exit(1);
  }
  return result;
}

struct Handler {
  virtual ~Handler() = default;
  virtual void on_ready(uint32_t events) = 0;
};

class Loop {
 public:
  void watch(int fd, uint32_t events, Handler& handler, int operation = EPOLL_CTL_ADD) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &handler;
    checked(::epoll_ctl(epoll_, operation, fd, &event), "epoll_ctl");
  }
  // Waits for at most `timeout_ms` (-1: without end), and calls the handlers that are ready.
  void turn(int timeout_ms) {
    epoll_event ready[256];
    const int count = ::epoll_wait(epoll_, ready, 256, timeout_ms);
    for (int i = 0; i < count; ++i)
      static_cast<Handler*>(ready[i].data.ptr)->on_ready(ready[i].events);
  }

 private:
  int epoll_ = checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
};

// The parts of a request that the answer repeats. A proxy also sends `rest`, without its last
// brace, to the upstream.
struct Line {
  explicit Line(std::string_view text) {
    const size_t method = text.find(",\"method\":");
    const size_t params = text.find("\"params\":", method);
    if (method == text.npos || params == text.npos) std::exit(1);
    head = text.substr(0, method);
    rest = text.substr(params + 9);
  }
  std::string_view head;  // {"jsonrpc":"2.0","id":7
  std::string_view rest;  // PARAMS}
};

inline void append_answer(std::string& out, std::string_view head, std::string_view rest) {
  ((out += head) += ",\"result\":") += rest;
}

// A client's connection: on_line() gets each line, without its end. The object is never deleted,
// since a fetch of a proxy may still refer to it.
class Client : public Handler {
 public:
  Client(Loop& loop, int fd) : loop_(loop), fd_(fd) { loop.watch(fd, EPOLLIN, *this); }

  virtual void on_line(std::string_view line) = 0;
  // Writes what `output` has.
  void flush() {
    if (fd_ < 0) return;
    const size_t left = output.size() - written_;
    const ssize_t taken = left == 0 ? 0 : ::write(fd_, output.data() + written_, left);
    if (taken < 0 && errno != EAGAIN) return close();
    written_ += static_cast<size_t>(std::max<ssize_t>(taken, 0));
    const bool must_wait = written_ < output.size();
    if (!must_wait) {
      output.clear();
      written_ = 0;
    }
    if (must_wait == is_waiting_) return;
    is_waiting_ = must_wait;
    loop_.watch(fd_, must_wait ? EPOLLIN | EPOLLOUT : EPOLLIN, *this, EPOLL_CTL_MOD);
  }
  void on_ready(uint32_t events) override {
    if ((events & EPOLLIN) == 0) return flush();
    if (input_.size() - used_ < kReadBytes) input_.resize(std::max(2 * used_, used_ + kReadBytes));
    const ssize_t got = ::read(fd_, input_.data() + used_, input_.size() - used_);
    if (got == 0 || (got < 0 && errno != EAGAIN)) return close();
    size_t from = used_;
    used_ += static_cast<size_t>(std::max<ssize_t>(got, 0));
    const std::string_view text(input_.data(), used_);
    size_t begin = 0;
    for (size_t end; (end = text.find('\n', from)) != text.npos; from = begin = end + 1)
      on_line(text.substr(begin, end - begin));
    std::memmove(input_.data(), input_.data() + begin, used_ - begin);
    used_ -= begin;
    flush();
  }

  std::string output;

 private:
  static constexpr size_t kReadBytes = 64 << 10;

  void close() { ::close(std::exchange(fd_, -1)); }

  Loop& loop_;
  int fd_;
  std::vector<char> input_;
  size_t written_ = 0;  // bytes of `output`
  size_t used_ = 0;     // bytes of `input_` that were read and are no whole line yet
  bool is_waiting_ = false;
};

// Listens at a port of the system's choice, which it prints, and makes a ClientType of each
// connection.
template <class ClientType>
class Listener : public Handler {
 public:
  explicit Listener(Loop& loop) : loop_(loop) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    checked(::bind(fd_, any, size), "bind");
    checked(::listen(fd_, SOMAXCONN), "listen");
    checked(::getsockname(fd_, any, &size), "getsockname");
    loop.watch(fd_, EPOLLIN, *this);
    std::fprintf(stderr, "listening address=127.0.0.1:%d\n", ntohs(address.sin_port));
  }
  void on_ready(uint32_t) override {
    const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    new ClientType(loop_, fd);
  }

 private:
  Loop& loop_;
  int fd_ = checked(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
};

}  // namespace ringmaster::bench
