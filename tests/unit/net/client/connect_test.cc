#include "net/client/connect.h"

#include <cstring>
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "net/client/authenticate.h"
#include "support.h"

namespace ringmaster {
namespace {

// A unix socket that is bound to `path` and, if `is_served`, takes connections into its backlog.
Fd bind_unix(const std::string& path, bool is_served) {
  sockaddr_un where{};
  where.sun_family = AF_UNIX;
  REQUIRE(path.size() <= sizeof where.sun_path);
  std::memcpy(where.sun_path, path.data(), path.size());
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&where), sizeof where) == 0);
  if (is_served) REQUIRE(::listen(socket.get(), 0) == 0);
  return socket;
}

// The result of show_token() for a server that sends this answer and closes.
Status shown(const std::string& answer) {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const Fd ours(ends[0]);
  Fd server(ends[1]);
  REQUIRE(::write(server.get(), answer.data(), answer.size()) ==
          static_cast<ssize_t>(answer.size()));
  REQUIRE(::shutdown(server.get(), SHUT_WR) == 0);
  return show_token(ours.get(), "the server", "a-token", Deadline(kNsPerS));
}

}  // namespace

TEST_CASE("connect: a deadline that has passed fails at once, even where a server waits") {
  const test::TemporaryFolder folder;
  const Fd served = bind_unix(folder.at("a"), true);
  const auto late = connect_to("unix:" + folder.at("a"), Deadline(0));
  REQUIRE(!late);
  CHECK(late.error().message == "no answer from unix:" + folder.at("a") + " within 0 ms");
  CHECK(connect_to("unix:" + folder.at("a"), Deadline(kNsPerS)));
}

TEST_CASE("connect: the timeout of a call is never 0, which would mean none") {
  const Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Deadline deadline(20);
  timeval set{};
  int applied = 0;
  for (; deadline.apply(socket.get()); ++applied) {
    socklen_t size = sizeof set;
    REQUIRE(::getsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &set, &size) == 0);
    REQUIRE(set.tv_sec == 0);
    REQUIRE(set.tv_usec > 0);
    REQUIRE(set.tv_usec <= 24'000);  // the kernel counts in ticks
  }
  CHECK(applied > 0);
}

TEST_CASE("connect: it fails at the deadline if the server's backlog is full") {
  const test::TemporaryFolder folder;
  const Fd served = bind_unix(folder.at("a"), true);
  const Fd waits = std::move(*connect_to("unix:" + folder.at("a"), Deadline(kNsPerS)));
  const auto late = connect_to("unix:" + folder.at("a"), Deadline(50));
  REQUIRE(!late);
  CHECK(late.error().message.find("cannot connect") != std::string::npos);
}

TEST_CASE("connect: a unix path without room for its NUL is too long") {
  const test::TemporaryFolder folder;
  const size_t most = sizeof(sockaddr_un{}.sun_path) - 1;
  const std::string longest = folder.at(std::string(most - folder.at("").size(), 'x'));
  REQUIRE(longest.size() == most);
  const Fd served = bind_unix(longest, true);
  CHECK(connect_to("unix:" + longest, Deadline(kNsPerS)));
  const auto longer = connect_to("unix:" + longest + "x", Deadline(kNsPerS));
  REQUIRE(!longer);
  CHECK(longer.error().message.ends_with("the path is too long"));
  CHECK(longer.error().exit_code == ExitCode::kResource);
}

TEST_CASE("show token: only the result true is a yes") {
  CHECK(shown("{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":true}\n"));
  CHECK(!shown("{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":false}\n"));
  CHECK(!shown("{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":\"true\"}\n"));
  CHECK(!shown("hello\n"));
  const Status refused = shown("{\"id\":0,\"error\":{\"message\":\"unknown token\"}}\n");
  REQUIRE(!refused);
  CHECK(refused.error().message == "the server does not accept the token: \"unknown token\"");
}

TEST_CASE("show token: a connection that closes before the answer is whole is an error") {
  for (const char* part : {"", "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":true}"}) {
    CAPTURE(part);
    const Status closed = shown(part);
    REQUIRE(!closed);
    CHECK(closed.error().message == "the server closed the connection");
  }
}

}  // namespace ringmaster
