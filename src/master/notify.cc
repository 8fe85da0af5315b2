#include "master/notify.h"

#include <cinttypes>
#include <fcntl.h>

#include <systemd/sd-daemon.h>

#include "base/clock.h"

namespace ringmaster::master {

std::vector<Fd> inherited_sockets() {
  std::vector<Fd> sockets;
  const int count = sd_listen_fds(1);
  for (int i = 0; i < count; ++i) {
    const int fd = SD_LISTEN_FDS_START + i;
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    sockets.emplace_back(fd);
  }
  return sockets;
}

// A failure to notify has nobody to be told to: the manager's time-out will say it.
void notify_ready(const std::string& status) {
  sd_notifyf(0, "READY=1\nSTATUS=%s", status.c_str());
}
void notify_status(const std::string& status) {
  sd_notifyf(0, "STATUS=%s", status.c_str());
}
void notify_reloading() {
  // The time tells the manager which of two reloads the READY is for.
  sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reloading", now_ns() / 1000);
}
void notify_stopping() {
  sd_notify(0, "STOPPING=1\nSTATUS=finishing what was admitted");
}

}  // namespace ringmaster::master
