#include "master/lifecycle/signals.h"

#include <array>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/log.h"

namespace ringmaster::master {
namespace {

constexpr std::array kObeyed = {SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGTTIN, SIGTTOU, SIGUSR1};
// At these signals, other servers replace their program or end their workers.
constexpr std::array kOthers = {SIGUSR2, SIGWINCH};

}  // namespace

void Signals::ignore_others() {
  std::signal(SIGPIPE, SIG_IGN);  // write() reports that a client or the log's reader is gone
  for (const int signal : kOthers)
    std::signal(signal, SIG_IGN);
}

Signals::Signals(uv_loop_t* loop, OnSignal on_signal) : on_signal_(std::move(on_signal)) {
  const auto start = [&](int signal, uv_signal_cb tell) {
    handles_.push_back(make_handle<uv_signal_t>(loop, this, uv_signal_init));
    RM_ASSERT(uv_signal_start(handles_.back().get(), tell, signal) == 0);
  };
  for (const int signal : kObeyed) {
    start(signal, [](uv_signal_t* handle, int number) {
      static_cast<Signals*>(handle->data)->on_signal_(number);
    });
  }
  for (const int signal : kOthers) {
    start(signal, [](uv_signal_t* handle, int number) {
      static_cast<Signals*>(handle->data)->on_other(number);
    });
  }
}

Signals::~Signals() {
  sigset_t ours;
  ::sigemptyset(&ours);
  for (const int signal : kObeyed)
    ::sigaddset(&ours, signal);
  for (const int signal : kOthers)
    ::sigaddset(&ours, signal);
  ::pthread_sigmask(SIG_BLOCK, &ours, nullptr);
  // libuv restores the default actions, and other threads have not blocked these signals.
  handles_.clear();
  ignore_others();
  for (const int signal : kObeyed)
    std::signal(signal, SIG_IGN);
}

void Signals::on_other(int signal) {
  if (!others_seen_.insert(signal).second) return;
  log(Level::kWarning, "signal_ignored", {{"signal", ::sigabbrev_np(signal)}});
}

}  // namespace ringmaster::master
