#include "master/system/systemd.h"

#include <cerrno>
#include <cstdlib>
#include <doctest/doctest.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "loop_support.h"

namespace {

using namespace ringmaster;
using Messages = std::vector<std::string>;

// A service manager that receives at an abstract socket, which leaves no file behind.
class Manager {
 public:
  Manager() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socklen_t size = sizeof(sa_family_t);  // no name: the kernel chooses one
    REQUIRE(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    size = sizeof address;
    REQUIRE(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    const std::string name(address.sun_path + 1, size - sizeof(sa_family_t) - 1);
    ::setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
  }
  ~Manager() { ::unsetenv("NOTIFY_SOCKET"); }

  // Fills the manager's socket; returns the number of messages.
  size_t fill() {
    sockaddr_un address{};
    socklen_t size = sizeof address;
    REQUIRE(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    const Fd other(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    REQUIRE(::connect(other.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    size_t count = 0;
    while (::send(other.get(), "x", 1, 0) == 1)
      ++count;
    REQUIRE(errno == EAGAIN);
    return count;
  }
  // All messages that have come.
  Messages receive() {
    Messages messages;
    char message[4096];
    ssize_t size = 0;
    while ((size = ::recv(socket_.get(), message, sizeof message, MSG_DONTWAIT)) > 0)
      messages.emplace_back(message, static_cast<size_t>(size));
    return messages;
  }

 private:
  Fd socket_;
};

}  // namespace

TEST_CASE("notify: a reload and its time are in one message") {
  Manager manager;
  test::Loop loop;
  master::Notifier notifier(loop.get());
  const uint64_t before_us = now_ns() / 1000;
  notifier.reloading();
  const Messages messages = manager.receive();
  REQUIRE(messages.size() == 1);
  CHECK(messages[0].starts_with("RELOADING=1\nMONOTONIC_USEC="));
  const uint64_t at_us = std::stoull(messages[0].substr(messages[0].find("USEC=") + 5));
  CHECK(at_us >= before_us);
  CHECK(at_us <= now_ns() / 1000);
}

TEST_CASE("notify: nothing waits for a full socket; its message is sent again") {
  Manager manager;
  test::Loop loop;
  master::Notifier notifier(loop.get());
  const size_t junk = manager.fill();
  notifier.status("serving");
  notifier.alive();
  notifier.reloading();
  notifier.alive();
  notifier.ready("serving");
  notifier.status("degraded");
  CHECK(manager.receive().size() == junk);
  Messages messages;
  loop.run_until([&] {
    for (std::string& message : manager.receive())
      messages.push_back(std::move(message));
    return !messages.empty();
  });
  // In their order; of each kind, only the last.
  REQUIRE(messages.size() == 4);
  CHECK(messages[0].starts_with("RELOADING=1\n"));
  CHECK(messages[1] == "WATCHDOG=1");
  CHECK(messages[2] == "READY=1\nSTATUS=serving");
  CHECK(messages[3] == "STATUS=degraded");
  notifier.stopping("stopping", 5);  // nothing is left in front of it
  CHECK(manager.receive() == Messages{"STOPPING=1\nEXTEND_TIMEOUT_USEC=5000\nSTATUS=stopping"});
}

TEST_CASE("notify: without a manager, or once it is gone, nothing is sent") {
  test::Loop loop;
  ::unsetenv("NOTIFY_SOCKET");
  CHECK(master::watchdog_interval_ms() == 0);
  master::Notifier nobody(loop.get());
  CHECK_FALSE(nobody.is_needed());
  nobody.reloading();
  auto manager = std::make_unique<Manager>();
  master::Notifier notifier(loop.get());
  manager->fill();
  notifier.ready("serving");
  manager.reset();
  CHECK(notifier.is_needed());
  notifier.ready("serving");
}
