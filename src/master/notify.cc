#include "master/notify.h"

#include <cinttypes>
#include <cstdlib>
#include <fcntl.h>
#include <string_view>

#include <systemd/sd-daemon.h>

#include "base/clock.h"

namespace ringmaster::master {
namespace {

constexpr uint64_t kUsPerMs = 1000;
constexpr uint64_t kNsPerUs = 1000;

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

bool has_manager() {
  return std::getenv("NOTIFY_SOCKET") != nullptr;
}

uint64_t watchdog_interval_ms() {
  uint64_t interval_us = 0;
  return sd_watchdog_enabled(1, &interval_us) > 0 ? interval_us / kUsPerMs : 0;
}

// A failure to notify has nobody to be told to: the manager's time-out will say it.
void notify_ready(const std::string& status) {
  sd_notifyf(0, "READY=1\nSTATUS=%s", status.c_str());
}

void notify_reloading() {
  // The time is what a manager tells this reload from an earlier one by: it must be in the message.
  sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reloading", now_ns() / kNsPerUs);
}

void notify_stopping(const std::string& status, uint64_t limit_ms) {
  sd_notifyf(0, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64 "\nSTATUS=%s", limit_ms * kUsPerMs,
             status.c_str());
}

void notify_alive() {
  sd_notify(0, "WATCHDOG=1");
}

void notify_extend(uint64_t limit_ms) {
  sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%" PRIu64, limit_ms * kUsPerMs);
}

void notify_status(const std::string& status) {
  sd_notifyf(0, "STATUS=%s", status.c_str());
}

}  // namespace ringmaster::master
