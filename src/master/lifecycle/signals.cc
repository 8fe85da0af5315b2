#include "master/lifecycle/signals.h"

#include <csignal>
#include <utility>

namespace ringmaster::master {
namespace {

constexpr int kSignals[] = {SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGTTIN, SIGTTOU, SIGUSR1};

}  // namespace

Signals::Signals(uv_loop_t* loop, OnSignal on_signal) : on_signal_(std::move(on_signal)) {
  const auto tell = [](uv_signal_t* handle, int signal) {
    static_cast<Signals*>(handle->data)->on_signal_(signal);
  };
  for (const int signal : kSignals) {
    handles_.push_back(make_handle<uv_signal_t>(loop, this, uv_signal_init));
    RM_ASSERT(uv_signal_start(handles_.back().get(), tell, signal) == 0);
  }
}

Signals::~Signals() {
  sigset_t ours;
  ::sigemptyset(&ours);
  for (const int signal : kSignals)
    ::sigaddset(&ours, signal);
  ::pthread_sigmask(SIG_BLOCK, &ours, nullptr);
}

}  // namespace ringmaster::master
