// Cases of addresses that test_start.py, test_access.py and test_stream.py cannot make.
#include "net/listener.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

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
