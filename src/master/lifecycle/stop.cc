#include "master/lifecycle/stop.h"

#include <utility>

#include "base/clock.h"
#include "base/log.h"

namespace ringmaster::master {
namespace {

// When stopping at once: how long clients may take to read the last answers.
constexpr uint64_t kLastAnswersMs = 1000;

// How much longer a stop serves messages once no request is in flight and every message that was
// read before the stop is served. The limit is needed because a client may go on sending for ever.
constexpr uint64_t kLastMessagesNs = 500 * kNsPerMs;

// How much longer than shutdown.grace_ms the service manager is asked to wait: for the last
// answers, and for the processes to end.
constexpr uint64_t kEndMs = kLastAnswersMs + 4000;

}  // namespace

Stop::Stop(uv_loop_t* loop, Parts parts)
    : loop_(loop),
      parts_(std::move(parts)),
      timer_(make_handle<uv_timer_t>(loop, this, uv_timer_init)) {}

// With a notice, the server serves for a while longer: /readyz and the agent tell load balancers of
// the stop, so that they send no more requests by the time the server refuses them.
void Stop::begin() {
  if (has_begun()) return stop_now();
  const Deployment* serving = parts_.rollout.serving();
  const uint64_t notice_ms = serving == nullptr ? 0 : serving->options().shutdown_notice_ms;
  if (notice_ms == 0) return stop();
  is_announced_ = true;
  log(Level::kInfo, "stop_announced", {{"notice_ms", notice_ms}});
  parts_.notifier.stopping(parts_.status(),
                           notice_ms + serving->options().shutdown_grace_ms + kEndMs);
  uv_timer_start(
      timer_.get(), [](uv_timer_t* timer) { static_cast<Stop*>(timer->data)->stop(); }, notice_ms,
      0);
}

void Stop::stop() {
  is_stopping_ = true;
  log(Level::kInfo, "stopping", {{"in_flight", parts_.rollout.in_flight()}});
  const Deployment* serving = parts_.rollout.serving();
  const uint64_t grace_ms = serving == nullptr ? 0 : serving->options().shutdown_grace_ms;
  parts_.notifier.stopping(parts_.status(), grace_ms + kEndMs);
  parts_.frontend.drain();
  parts_.rollout.give_up();
  limit(grace_ms);
}

void Stop::stop_now() {
  if (is_ending_) return uv_stop(loop_);
  is_stopping_ = true;
  log(Level::kWarning, "stopping_now", {{"in_flight", parts_.rollout.in_flight()}});
  parts_.frontend.drain();
  limit(kLastAnswersMs);
  rpc::Error error = rpc::make_error(rpc::kShuttingDown, "shutting_down",
                                     "the server stopped before the request was finished");
  error.retryable = true;
  parts_.rollout.cut_off_all(error);
  parts_.frontend.flush();  // requests that waited for these answers are refused
  end(ExitCode::kOk);
}

void Stop::limit(uint64_t limit_ms) {
  uv_timer_start(
      timer_.get(), [](uv_timer_t* timer) { static_cast<Stop*>(timer->data)->stop_now(); },
      limit_ms, 0);
}

void Stop::end(ExitCode exit_code) {
  if (std::exchange(is_ending_, true)) return;
  exit_code_ = exit_code;
  parts_.frontend.finish();
  parts_.rollout.stop_all();
  parts_.trace_exporter.finish();
}

void Stop::advance() {
  end_when_answered();
  const bool is_over = parts_.rollout.is_over() && parts_.frontend.connections() == 0 &&
                       !parts_.trace_exporter.has_spans();
  if (is_ending_ && is_over) uv_stop(loop_);
}

void Stop::end_when_answered() {
  if (!is_stopping_ || is_ending_) return;
  if (parts_.rollout.in_flight() > 0 || parts_.frontend.has_unserved_of_before()) return;
  if (answered_ns_ == 0) answered_ns_ = now_ns();
  if (parts_.frontend.has_unserved() && now_ns() < answered_ns_ + kLastMessagesNs) return;
  end(ExitCode::kOk);
  parts_.frontend.flush();  // closes the connections now: the next turn may begin only at a timer
}

}  // namespace ringmaster::master
