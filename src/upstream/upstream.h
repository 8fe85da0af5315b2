// Upstream: the fetches from one upstream. Where its options say so, they share answers: see
// shared_fetches.h. Else each goes to Attempts as it is.
//
// Threads: the loop's only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/status.h"
#include "base/uv_handle.h"
#include "upstream/attempts.h"
#include "upstream/options.h"
#include "upstream/shared_fetches.h"

namespace ringmaster::upstream {

class Upstream {
 public:
  // Fails (71) when libcurl cannot be set up.
  [[nodiscard]] static Result<std::unique_ptr<Upstream>> create(uv_loop_t* loop,
                                                                const UpstreamOptions& options);

  // Identifies a fetch until its on_done has returned or it was cancelled.
  struct Fetch {
    Attempts::Fetch* own = nullptr;  // a fetch that shares no answer
    SharedFetches::Fetch* shared = nullptr;

    explicit operator bool() const { return own != nullptr || shared != nullptr; }
    // How the fetch got its answer: a name of kSharingNames; empty: it shares no answer.
    std::string_view result() const {
      if (shared == nullptr) return "";
      return kSharingNames[static_cast<size_t>(SharedFetches::sharing_of(*shared))];
    }
  };
  // See Attempts.
  Fetch start(HttpClient::Request request);
  void cancel(const Fetch& fetch, bool is_late);

  // How long one more fetch of this client would wait for a connection. Where the cache answers
  // fetches, this is the mean over all fetches: those that the cache answers do not wait.
  double wait_ns(const void* client) const;

  const UpstreamOptions& options() const { return attempts_->options(); }
  const Attempts& attempts() const { return *attempts_; }
  // Null: its fetches share no answers.
  const SharedFetches* shared() const { return shared_ ? &*shared_ : nullptr; }
  // Goes on with the answers that `before` has kept, if its options were the same.
  void adopt_answers(const Upstream& before);

 private:
  Upstream(uv_loop_t* loop, std::unique_ptr<Attempts> attempts);

  void turn();
  void set_timer();

  std::unique_ptr<Attempts> attempts_;
  std::optional<SharedFetches> shared_;
  UvHandle<uv_idle_t> idle_;    // runs while `shared_` is due
  UvHandle<uv_timer_t> timer_;  // for the next timeout of `shared_`
  uint64_t timer_ns_ = UINT64_MAX;
};

}  // namespace ringmaster::upstream
