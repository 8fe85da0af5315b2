#include "net/listener.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "loop_support.h"
#include "probes.h"
#include "support.h"

namespace ringmaster::net {
namespace {

using test::Loop;
using test::TemporaryFolder;

std::unique_ptr<Listener> bound(const Address& address) {
  auto listener = Listener::bind(address);
  REQUIRE_MESSAGE(listener, listener.error().message);
  return std::move(*listener);
}

Error refused(const Address& address) {
  const auto listener = Listener::bind(address);
  REQUIRE(!listener);
  return listener.error();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

uint16_t port_of(const Listener& listener) {
  const std::string& address = listener.address();
  return static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
}

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

// A unix socket whose server is gone, as a kill leaves it.
void leave_stale_socket(const std::string& path) {
  const Fd server(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), address.sun_path);
  REQUIRE(::bind(server.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
}

mode_t mode_of(const std::string& path) {
  struct stat file {};
  REQUIRE(::stat(path.c_str(), &file) == 0);
  return file.st_mode & 07777;
}

// Listens and connects; returns the number of accepted connections.
int accept_one(Loop& loop, Listener& listener) {
  int accepted = 0;
  REQUIRE(listener.listen(loop.get(), [&](Stream) { ++accepted; }));
  const std::string& address = listener.address();
  Fd client;
  if (address.starts_with("unix:")) {
    client = connect_unix(address.substr(5));
  } else {
    client = test::connect_to(port_of(listener), contains(address, "["));
  }
  REQUIRE(client.is_open());
  loop.run_until([&] { return accepted > 0; });
  return accepted;
}

}  // namespace

TEST_CASE("listener: port 0 gives a free port, which the address then names") {
  Loop loop;
  const auto first = bound("127.0.0.1:0");
  const auto second = bound("127.0.0.1:0");
  CHECK(first->address().starts_with("127.0.0.1:"));
  CHECK(port_of(*first) != 0);
  CHECK(port_of(*first) != port_of(*second));
  CHECK(accept_one(loop, *first) == 1);
}

TEST_CASE("listener: IPv6 addresses are written in brackets") {
  SKIP_UNLESS(test::ipv6());
  Loop loop;
  const auto listener = bound("[::1]:0");
  CHECK(listener->address().starts_with("[::1]:"));
  CHECK(accept_one(loop, *listener) == 1);
}

TEST_CASE("listener: a port in use is an error that names it, with exit code 71") {
  Loop loop;
  const auto first = bound("127.0.0.1:0");
  REQUIRE(first->listen(loop.get(), [](Stream) {}));
  const Error error = refused(first->address());
  CHECK(error.exit_code == ExitCode::kResource);
  CHECK(contains(error.message, first->address()));
  CHECK(contains(error.message, "in use"));
}

TEST_CASE("listener: of two that have bound a port, only one can listen, and the other says so") {
  Loop loop;
  const auto first = bound("127.0.0.1:0");
  auto second = Listener::bind(first->address());
  if (!second) return;  // known already: better
  REQUIRE(first->listen(loop.get(), [](Stream) {}));
  const Status listening = (*second)->listen(loop.get(), [](Stream) {});
  REQUIRE(!listening);
  CHECK(listening.error().exit_code == ExitCode::kResource);
  CHECK(contains(listening.error().message, first->address()));
}

TEST_CASE("listener: invalid addresses are errors that name them") {
  CHECK(contains(refused("nonsense").message, "nonsense"));
  CHECK(refused("nonsense").exit_code == ExitCode::kConfig);
  CHECK(contains(refused("127.0.0.1:http-not").message, "127.0.0.1:http-not"));
  CHECK(contains(refused("unix:").message, "unix:"));
  CHECK(contains(refused("unix:/" + std::string(200, 'x')).message, "107 bytes"));
  CHECK(refused("192.0.2.1:0").exit_code == ExitCode::kResource);  // no address of this host
}

TEST_CASE("listener: a unix socket is served, and goes with its listener") {
  const TemporaryFolder folder;
  {
    Loop loop;
    const auto listener = bound("unix:" + folder.at("rpc.sock"));
    CHECK(listener->address() == "unix:" + folder.at("rpc.sock"));
    CHECK(accept_one(loop, *listener) == 1);
  }
  CHECK(!std::filesystem::exists(folder.at("rpc.sock")));
}

TEST_CASE("listener: a unix socket has the mode that is asked for, umask or not") {
  const TemporaryFolder folder;
  const mode_t before = ::umask(0077);
  const auto listener = Listener::bind("unix:" + folder.at("a"), {.mode = 0666});
  ::umask(before);
  REQUIRE(listener);
  CHECK(mode_of(folder.at("a")) == 0666);
  REQUIRE((*listener)->permit({.mode = 0600}));
  CHECK(mode_of(folder.at("a")) == 0600);
  CHECK(bound("unix:" + folder.at("b"))->permit({}));
}

TEST_CASE("listener: a unix socket has the owners that are asked for") {
  SKIP_UNLESS(test::root());
  const TemporaryFolder folder;
  const auto given = Listener::bind("unix:" + folder.at("c"), {.owner_id = 7, .group_id = 8});
  REQUIRE(given);
  struct stat file {};
  REQUIRE(::stat(folder.at("c").c_str(), &file) == 0);
  CHECK(file.st_uid == 7);
  CHECK(file.st_gid == 8);
  CHECK((file.st_mode & 07777) == 0660);
}

TEST_CASE("listener: a stale unix socket is replaced") {
  const TemporaryFolder folder;
  Loop loop;
  leave_stale_socket(folder.at("rpc.sock"));
  CHECK(!connect_unix(folder.at("rpc.sock")).is_open());
  const auto listener = bound("unix:" + folder.at("rpc.sock"));
  CHECK(accept_one(loop, *listener) == 1);
}

TEST_CASE("listener: a unix socket that is served is left alone") {
  const TemporaryFolder folder;
  Loop loop;
  const auto first = bound("unix:" + folder.at("rpc.sock"));
  int accepted = 0;
  REQUIRE(first->listen(loop.get(), [&](Stream) { ++accepted; }));
  const Error error = refused("unix:" + folder.at("rpc.sock"));
  CHECK(error.exit_code == ExitCode::kResource);
  CHECK(contains(error.message, folder.at("rpc.sock")));
  const Fd client = connect_unix(folder.at("rpc.sock"));
  CHECK(client.is_open());
  loop.run_until([&] { return accepted > 0; });
}

TEST_CASE("listener: a unix socket whose server accepts nobody is left alone at once") {
  const TemporaryFolder folder;
  const std::string path = folder.at("rpc.sock");
  const Fd server(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), address.sun_path);
  REQUIRE(::bind(server.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(server.get(), 0) == 0);
  const Fd waiting = connect_unix(path);  // all that there is room for
  REQUIRE(waiting.is_open());
  CHECK(contains(refused("unix:" + path).message, "Address already in use"));
}

TEST_CASE("listener: a file that has taken the place of its unix socket is left alone") {
  const TemporaryFolder folder;
  auto first = bound("unix:" + folder.at("rpc.sock"));
  std::filesystem::rename(folder.at("rpc.sock"), folder.at("was.sock"));
  folder.write("rpc.sock", "");
  ::chmod(folder.at("rpc.sock").c_str(), 0600);
  const Status permitted = first->permit({.mode = 0666});
  REQUIRE(!permitted);
  CHECK(contains(permitted.error().message, "rpc.sock"));
  CHECK(mode_of(folder.at("rpc.sock")) == 0600);
  first.reset();
  CHECK(std::filesystem::exists(folder.at("rpc.sock")));
}

TEST_CASE("listener: a file that is no socket is never replaced") {
  const TemporaryFolder folder;
  folder.write("precious", "text");
  CHECK(contains(refused("unix:" + folder.at("precious")).message, folder.at("precious")));
  CHECK(std::filesystem::exists(folder.at("precious")));
}

TEST_CASE("listener: a socket of the service manager is served, and neither named nor removed") {
  const TemporaryFolder folder;
  {
    Loop loop;
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = folder.at("systemd.sock");
    std::copy(path.begin(), path.end(), address.sun_path);
    REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    const auto listener = Listener::adopt(std::move(socket));
    CHECK(listener->address() == "unix:" + path);
    CHECK(accept_one(loop, *listener) == 1);
  }
  CHECK(std::filesystem::exists(folder.at("systemd.sock")));
}

}  // namespace ringmaster::net
