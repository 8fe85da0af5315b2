#include "upstream/upstream.h"

#include <utility>

#include "base/clock.h"

namespace ringmaster::upstream {

Result<std::unique_ptr<Upstream>> Upstream::create(uv_loop_t* loop,
                                                   const UpstreamOptions& options) {
  Result<std::unique_ptr<Attempts>> attempts = Attempts::create(loop, options);
  if (!attempts) return tl::unexpected(attempts.error());
  return std::unique_ptr<Upstream>(new Upstream(loop, std::move(*attempts)));
}

Upstream::Upstream(uv_loop_t* loop, std::unique_ptr<Attempts> attempts)
    : attempts_(std::move(attempts)) {
  if (!options().coalesce && !options().cache.is_on()) return;
  idle_ = make_handle<uv_idle_t>(loop, this, uv_idle_init);
  timer_ = make_handle<uv_timer_t>(loop, this, uv_timer_init);
  const auto on_idle = [](uv_idle_t* idle) { static_cast<Upstream*>(idle->data)->turn(); };
  shared_.emplace(
      options(),
      SharedFetches::Source{
          [this](HttpClient::Request request) { return attempts_->start(std::move(request)); },
          [this](Attempts::Fetch* fetch, bool is_late) { attempts_->cancel(fetch, is_late); },
          [this](Attempts::Fetch* fetch, const void* client) {
            attempts_->share_turn(fetch, client);
          },
          [this, on_idle] { uv_idle_start(idle_.get(), on_idle); }});
}

Upstream::Fetch Upstream::start(HttpClient::Request request) {
  if (!shared_ || !SharedFetches::may_share(request))
    return {attempts_->start(std::move(request)), nullptr};
  SharedFetches::Fetch* const fetch = shared_->start(std::move(request), now_ns());
  set_timer();
  return {nullptr, fetch};
}

void Upstream::cancel(const Fetch& fetch, bool is_late) {
  if (fetch.own != nullptr) return attempts_->cancel(fetch.own, is_late);
  shared_->cancel(fetch.shared, is_late, now_ns());
}

double Upstream::wait_ns(const void* client) const {
  return attempts_->wait_ns(client) * (shared_ ? shared_->asked_part() : 1);
}

void Upstream::adopt_answers(const Upstream& before) {
  if (shared_ && before.options() == options()) shared_->adopt(*before.shared_);
}

void Upstream::turn() {
  uv_idle_stop(idle_.get());
  shared_->turn(now_ns());
  set_timer();
}

// A timeout that is no longer needed may still fire.
void Upstream::set_timer() {
  const uint64_t next_ns = shared_->next_timeout_ns();
  if (next_ns == timer_ns_ || next_ns == UINT64_MAX) return;
  timer_ns_ = next_ns;
  const uint64_t now = now_ns();
  const uint64_t ms = next_ns <= now ? 0 : (next_ns - now) / kNsPerMs + 1;
  uv_timer_start(
      timer_.get(),
      [](uv_timer_t* timer) {
        auto* upstream = static_cast<Upstream*>(timer->data);
        upstream->timer_ns_ = UINT64_MAX;
        upstream->turn();
      },
      ms, 0);
}

}  // namespace ringmaster::upstream
