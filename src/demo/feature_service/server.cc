#include "demo/feature_service/server.h"

#include <csignal>
#include <sys/resource.h>
#include <utility>

#include "base/assert.h"

namespace ringmaster::feature_service {
namespace {

// Each connection takes a descriptor: the usual soft limit of 1024 is not enough.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Server::Server(Service& service, uint64_t drip_ms) : service_(service), drip_ms_(drip_ms) {
  std::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  RM_ASSERT(uv_loop_init(&loop_) == 0);
  terminate_ = on_signal(SIGTERM);
  interrupt_ = on_signal(SIGINT);
}

Server::~Server() {
  stop();
  run();
  RM_ASSERT(uv_loop_close(&loop_) == 0);
}

UvHandle<uv_signal_t> Server::on_signal(int signal) {
  auto handle = make_handle<uv_signal_t>(&loop_, this, uv_signal_init);
  const auto stop = [](uv_signal_t* got, int) { static_cast<Server*>(got->data)->stop(); };
  RM_ASSERT(uv_signal_start(handle.get(), stop, signal) == 0);
  return handle;
}

Status Server::listen(const net::Address& address) {
  auto listener = net::Listener::bind(address);
  if (!listener) return tl::unexpected(listener.error());
  listener_ = std::move(*listener);
  return listener_->listen(&loop_, [this](net::Stream stream) { accept(std::move(stream)); });
}

void Server::run() {
  uv_run(&loop_, UV_RUN_DEFAULT);
}

void Server::accept(net::Stream stream) {
  auto session =
      std::make_unique<Session>(&loop_, std::move(stream), service_, drip_ms_,
                                [this](const Session& closed) { sessions_.erase(&closed); });
  sessions_.emplace(session.get(), std::move(session));
}

void Server::stop() {
  listener_.reset();
  terminate_.reset();
  interrupt_.reset();
  sessions_.clear();
}

}  // namespace ringmaster::feature_service
