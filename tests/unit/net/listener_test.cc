// Cases of addresses that test_start.py, test_access.py and test_stream.py cannot make.
#include "net/listener.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <vector>

#include "base/clock.h"
#include "support.h"

namespace ringmaster::net {
namespace {

using test::contains;
using test::TemporaryFolder;

Fd connect_unix(const std::string& path) {
  Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), address.sun_path);
  if (::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    client.reset();
  }
  return client;
}

mode_t mode_of(const std::string& path) {
  struct stat file {};
  REQUIRE(::stat(path.c_str(), &file) == 0);
  return file.st_mode & 07777;
}

}  // namespace

TEST_CASE("listener: a unix socket whose server accepts nobody is left alone at once") {
  const TemporaryFolder folder;
  const std::string path = folder.at("rpc.sock");
  const Fd server(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), address.sun_path);
  REQUIRE(::bind(server.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(server.get(), 0) == 0);
  const Fd waiting = connect_unix(path);  // fills the backlog
  REQUIRE(waiting.is_open());
  const auto listener = Listener::bind("unix:" + path);
  REQUIRE(!listener);
  CHECK(contains(listener.error().message, "Address already in use"));
}

TEST_CASE("listener: clients beyond the limit wait for the next window of time") {
  const TemporaryFolder folder;
  const std::string path = folder.at("status.sock");
  uv_loop_t loop;
  REQUIRE(uv_loop_init(&loop) == 0);
  {
    const auto listener = Listener::bind("unix:" + path);
    REQUIRE(listener);
    size_t accepted = 0;
    constexpr uint64_t kWindowMs = 50;
    const AcceptLimits limits{.connections = 2, .window_ms = kWindowMs, .backlog = 8};
    REQUIRE((*listener)->listen(
        &loop, [&](Stream) { ++accepted; }, limits));
    std::vector<Fd> clients;
    for (int i = 0; i < 5; ++i)
      clients.push_back(connect_unix(path));
    uv_run(&loop, UV_RUN_ONCE);
    CHECK(accepted == 2);
    const uint64_t begun_ns = now_ns();
    while (accepted < 5)
      uv_run(&loop, UV_RUN_ONCE);
    // The loop's clock counts milliseconds.
    CHECK(now_ns() - begun_ns >= (2 * kWindowMs - 2) * kNsPerMs);
  }
  uv_run(&loop, UV_RUN_DEFAULT);
  CHECK(uv_loop_close(&loop) == 0);
}

TEST_CASE("listener: a file that has taken the place of its unix socket is left alone") {
  const TemporaryFolder folder;
  auto first = Listener::bind("unix:" + folder.at("rpc.sock"));
  REQUIRE(first);
  std::filesystem::rename(folder.at("rpc.sock"), folder.at("was.sock"));
  folder.write("rpc.sock", "");
  ::chmod(folder.at("rpc.sock").c_str(), 0600);
  const Status permitted = (*first)->permit({.mode = 0666});
  REQUIRE(!permitted);
  CHECK(contains(permitted.error().message, "rpc.sock"));
  CHECK(mode_of(folder.at("rpc.sock")) == 0600);
  first->reset();
  CHECK(std::filesystem::exists(folder.at("rpc.sock")));
}

}  // namespace ringmaster::net
