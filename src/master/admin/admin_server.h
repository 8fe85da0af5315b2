// AdminServer: the pages of the status port, over HTTP.
//
// Answers GET and HEAD of the paths in Pages; HEAD gets no text. Other paths get 404, other methods
// 405. The line "agent", instead of HTTP, gets the text of /agent alone: HAProxy's agent-check. The
// queue and limits of requests, listen.allow and tokens do not apply.
// Processes: the master only.
// Cost:      a turn of the loop looks only at connections that something has happened to.
// Limits:    kConnectionsMax connections, one request of each. A new connection beyond them closes
//            the oldest, so idle clients keep no other out. A request may take 10 s, and 8 KiB; a
//            connection kVisitNs. Slow readers share the text of one answer, and hold kPieceBytes
//            each. If they hold more than kTextBytesMax of texts together, the oldest are closed.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "master/admin/page.h"
#include "net/connection.h"
#include "net/listener.h"
#include "rpc/http_date.h"

namespace ringmaster::master {

class AdminServer {
 public:
  static constexpr size_t kConnectionsMax = 64;
  // At most 1,000 a second: a flood of connections takes some 2 % of a busy master's time. The next
  // window closes only half of the connections of this one, so that health checks are answered.
  static constexpr net::AcceptLimits kAcceptLimits{kConnectionsMax / 2, 32, 512, true};
  // The longest time that a request waits for an answer that is not there yet, and how often the
  // server asks again for this answer.
  static constexpr uint64_t kWaitNs = 2 * kNsPerS;
  static constexpr uint64_t kAgainMs = 50;
  static constexpr uint64_t kVisitNs = 30 * kNsPerS;
  static constexpr size_t kPieceBytes = 64 << 10;
  static constexpr size_t kTextBytesMax = 16 << 20;
  // A page with kept_ms rests after each answer: no other answer is made for kRest times the CPU
  // time that this one took. So it takes at most one part in kRest of a core. Meanwhile a request
  // gets the last answer to an equal one, if that is not older than kStaleNs.
  static constexpr uint64_t kRest = 200;
  static constexpr uint64_t kStaleNs = 5 * kNsPerS;

  AdminServer(uv_loop_t* loop, Pages pages);
  ~AdminServer();

  // bind() binds the address, unless it is open already. An empty address means that there is no
  // status port. listen() may still fail (exit code 71). The old address stays open until open()
  // replaces it. forget_bound() gives the new address up.
  [[nodiscard]] Status bind(const net::Address& address, const net::UnixAccess& unix_access);
  [[nodiscard]] Status listen();
  void open();
  void forget_bound() { next_.reset(); }

  // Sends the answers. Call before the event loop waits.
  void flush();

 private:
  struct Entrance {
    net::Address configured;
    std::unique_ptr<net::Listener> listener;  // null: there is none
  };

  using Answer = std::shared_ptr<const PageAnswer>;
  struct Kept {  // for Page::kept_ms
    Answer answer;
    uint64_t made_ns = 0;
  };

  class Visit;  // one connection
  using Visits = std::vector<std::unique_ptr<Visit>>;

  void accept(net::Stream stream);
  // Null: the answer is not there yet.
  Answer answer(const std::string& path, const PageRequest& request);
  Visits::iterator find(const Visit* visit);
  void note_due(Visit& visit);
  void ask_again_later();
  void close_stalled();
  void bound_texts();

  uv_loop_t* loop_;
  const Pages pages_;
  // By path, query and PageRequest::wants_html.
  std::map<std::tuple<std::string, std::string, bool>, Kept> kept_;
  std::map<std::string, uint64_t> rests_until_ns_;  // by path; "": of all long pages; see kRest
  const net::ConnectionLimits limits_;
  rpc::HttpDate date_;
  Entrance now_;
  std::optional<Entrance> next_;
  Visits visits_;               // oldest first
  std::vector<Visit*> due_;     // of visits_: the next flush() looks at them
  size_t accepted_ = 0;         // in this turn of the loop
  size_t accepted_before_ = 0;  // in the turn before
  Visits closed_;               // until their callbacks have returned
  UvHandle<uv_timer_t> stall_timer_;
  UvHandle<uv_timer_t> again_timer_;  // runs while a request waits for its answer
};

}  // namespace ringmaster::master
