#include "demo/feature_service/server.h"

#include <algorithm>
#include <csignal>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/resource.h>
#include <utility>

#include "base/assert.h"

namespace ringmaster::feature_service {
namespace {

constexpr int kBacklog =
    4096;  // thousands may connect at once; the kernel's somaxconn is its limit

// One descriptor a connection: the usual soft limit of 1024 is not enough.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::string address_of(const uv_tcp_t& socket) {
  sockaddr_storage storage{};
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  int size = sizeof storage;
  RM_ASSERT(uv_tcp_getsockname(&socket, address, &size) == 0);
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  RM_ASSERT(::getnameinfo(address, static_cast<socklen_t>(size), host, sizeof host, port,
                          sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) == 0);
  return storage.ss_family == AF_INET6 ? fmt::format("[{}]:{}", host, port)
                                       : fmt::format("{}:{}", host, port);
}

}  // namespace

Server::Server(Service& service, uint64_t drip_ms) : service_(service), drip_ms_(drip_ms) {
  std::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  RM_ASSERT(uv_loop_init(&loop_) == 0);
  RM_ASSERT(uv_tcp_init(&loop_, &listener_) == 0);
  listener_.data = this;
  for (auto [handle, signal] : {std::pair{&terminate_, SIGTERM}, std::pair{&interrupt_, SIGINT}}) {
    RM_ASSERT(uv_signal_init(&loop_, handle) == 0);
    handle->data = this;
    const auto on_signal = [](uv_signal_t* got, int) { static_cast<Server*>(got->data)->stop(); };
    RM_ASSERT(uv_signal_start(handle, on_signal, signal) == 0);
  }
}

Server::~Server() {
  stop();
  uv_run(&loop_, UV_RUN_DEFAULT);
  RM_ASSERT(uv_loop_close(&loop_) == 0);
}

Status Server::listen(const std::string& host, uint16_t port) {
  const std::string name = fmt::format("listen on {}:{}", host, port);
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int unknown = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (unknown != 0) {
    return fail(ExitCode::kResource, fmt::format("{}: {}", name, ::gai_strerror(unknown)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> list(found, &::freeaddrinfo);
  int error = uv_tcp_bind(&listener_, list->ai_addr, 0);
  if (error == 0) {
    error = uv_listen(reinterpret_cast<uv_stream_t*>(&listener_), kBacklog,
                      [](uv_stream_t* listener, int status) {
                        if (status == 0) static_cast<Server*>(listener->data)->accept();
                      });
  }
  if (error != 0) return fail(ExitCode::kResource, fmt::format("{}: {}", name, uv_strerror(error)));
  address_ = address_of(listener_);
  return {};
}

void Server::run() {
  uv_run(&loop_, UV_RUN_DEFAULT);
}

void Server::accept() {
  auto connection = std::make_unique<Connection>(
      &loop_, service_, drip_ms_, [this](Connection& closed) { connections_.erase(&closed); });
  Connection& accepted = *connection;
  connections_.emplace(&accepted, std::move(connection));
  accepted.accept(reinterpret_cast<uv_stream_t*>(&listener_));
}

void Server::stop() {
  if (std::exchange(is_stopping_, true)) return;
  uv_close(reinterpret_cast<uv_handle_t*>(&listener_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&terminate_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&interrupt_), nullptr);
  for (auto& [unused, connection] : connections_) {
    connection->close();  // removes it later, from the loop
  }
}

}  // namespace ringmaster::feature_service
