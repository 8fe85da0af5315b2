#include "master/system/systemd.h"

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <string_view>
#include <sys/socket.h>
#include <utility>

#include <systemd/sd-daemon.h>

#include "base/clock.h"

namespace ringmaster::master {
namespace {

constexpr uint64_t kUsPerMs = 1000;
constexpr uint64_t kNsPerUs = 1000;

// Short compared with any watchdog interval.
constexpr uint64_t kAgainMs = 100;

}  // namespace

std::vector<InheritedSocket> inherited_sockets() {
  std::vector<InheritedSocket> sockets;
  char** names = nullptr;
  const int count = sd_listen_fds_with_names(1, &names);
  for (int i = 0; i < count; ++i) {
    const int fd = SD_LISTEN_FDS_START + i;
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    sockets.push_back({Fd(fd), std::string_view(names[i]) == "tls"});
    std::free(names[i]);
  }
  std::free(names);
  return sockets;
}

uint64_t watchdog_interval_ms() {
  uint64_t interval_us = 0;
  return sd_watchdog_enabled(1, &interval_us) > 0 ? interval_us / kUsPerMs : 0;
}

Notifier::Notifier(uv_loop_t* loop) {
  const char* name = std::getenv("NOTIFY_SOCKET");
  const size_t size = name == nullptr ? 0 : std::strlen(name);
  if (size == 0 || size > sizeof manager_.sun_path || (*name != '/' && *name != '@')) return;
  manager_.sun_family = AF_UNIX;
  std::memcpy(manager_.sun_path, name, size);
  if (*name == '@') manager_.sun_path[0] = '\0';  // an abstract address
  manager_size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size);
  socket_ = Fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  again_ = make_handle<uv_timer_t>(loop, this, uv_timer_init);
}

void Notifier::send(std::string message) {
  if (!is_needed()) return;
  const auto kind = [](const std::string& text) {
    return std::string_view(text).substr(0, text.find('='));
  };
  std::erase_if(unsent_, [&](const std::string& one) { return kind(one) == kind(message); });
  unsent_.push_back(std::move(message));
  send_unsent();
}

// Sends again only where the socket was full. Any other failure shows by the manager's timeout.
void Notifier::send_unsent() {
  for (; !unsent_.empty(); unsent_.pop_front()) {
    const std::string& message = unsent_.front();
    const ssize_t sent = ::sendto(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL,
                                  reinterpret_cast<const sockaddr*>(&manager_), manager_size_);
    if (sent >= 0 || (errno != EAGAIN && errno != ENOBUFS)) continue;
    uv_timer_start(
        again_.get(), [](uv_timer_t* timer) { static_cast<Notifier*>(timer->data)->send_unsent(); },
        kAgainMs, 0);
    return;
  }
}

void Notifier::ready(const std::string& status) {
  send("READY=1\nSTATUS=" + status);
}

void Notifier::reloading() {
  // The manager tells this reload from an earlier one by the time, so the message must have it.
  send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}\nSTATUS=reloading", now_ns() / kNsPerUs));
}

void Notifier::stopping(const std::string& status, uint64_t limit_ms) {
  send(fmt::format("STOPPING=1\nEXTEND_TIMEOUT_USEC={}\nSTATUS={}", limit_ms * kUsPerMs, status));
}

void Notifier::alive() {
  send("WATCHDOG=1");
}

void Notifier::extend(uint64_t limit_ms) {
  send(fmt::format("EXTEND_TIMEOUT_USEC={}", limit_ms * kUsPerMs));
}

void Notifier::status(const std::string& status) {
  send("STATUS=" + status);
}

}  // namespace ringmaster::master
