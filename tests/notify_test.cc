#include "master/notify.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

namespace {

using namespace ringmaster;

// Where a service manager receives: an abstract socket, which leaves no file behind.
class Manager {
 public:
  Manager() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socklen_t size = sizeof(sa_family_t);  // no more: the kernel chooses a name
    REQUIRE(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    size = sizeof address;
    REQUIRE(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    const std::string name(address.sun_path + 1, size - sizeof(sa_family_t) - 1);
    ::setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
  }
  ~Manager() { ::unsetenv("NOTIFY_SOCKET"); }

  std::string receive() {
    char message[4096];
    const ssize_t size = ::recv(socket_.get(), message, sizeof message, MSG_DONTWAIT);
    REQUIRE(size > 0);
    return {message, static_cast<size_t>(size)};
  }

 private:
  Fd socket_;
};

}  // namespace

TEST_CASE("notify: a reload and its time are in one message") {
  Manager manager;
  const uint64_t before_us = now_ns() / 1000;
  master::notify_reloading();
  const std::string message = manager.receive();
  CHECK(message.starts_with("RELOADING=1\nMONOTONIC_USEC="));
  const uint64_t at_us = std::stoull(message.substr(message.find("USEC=") + 5));
  CHECK(at_us >= before_us);
  CHECK(at_us <= now_ns() / 1000);
}

TEST_CASE("notify: without a manager nobody is told") {
  ::unsetenv("NOTIFY_SOCKET");
  CHECK_FALSE(master::has_manager());
  CHECK(master::watchdog_interval_ms() == 0);
  master::notify_reloading();
}
