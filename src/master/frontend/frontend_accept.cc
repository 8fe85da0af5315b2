// Frontend: accepts connections, closes idle ones to make room, and logs refusals.
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "master/frontend/frontend.h"
#include "net/socket_name.h"

namespace ringmaster::master {
namespace {

// How many connections close_idle() may skip: connections with unsent answers, and connections of
// known clients that are sending a request.
constexpr size_t kLooksMax = 64;

}  // namespace

bool Frontend::lets_in(const sockaddr_storage& client) {
  if (!shared_.access.asks_for_address() || client.ss_family == AF_UNIX) return true;
  if (shared_.access.lets_in(client)) return true;
  shared_.access.count(Refusal::kAddress, net::to_text(client));
  return false;
}

// The client's bytes behind a proxy's header stay unread until the client has a session.
void Frontend::accept(net::Stream stream, std::shared_ptr<const net::TlsContext> tls) {
  if (!net::is_in_any(proxies_, stream->peer)) return begin_session(std::move(stream), tls.get());
  const size_t most = shared_.limits.connections;
  // fd_limit.cc counts no descriptors for more connections.
  if (proxied_.size() >= most || proxied_.size() + sessions_.size() >= most + kToldMax) {
    return shared_.access.count(Refusal::kConnections, net::to_text(stream->peer));
  }
  proxied_.read_header(std::move(stream), now_ns(), [this, tls](net::Stream come) {
    begin_session(std::move(come), tls.get());
  });
}

void Frontend::begin_session(net::Stream stream, const net::TlsContext* context) {
  if (!lets_in(stream->peer)) return;
  const bool is_tls = context != nullptr;
  const std::string client = net::client_of(stream->peer, net::fd_of(*stream));
  const std::optional<Refusal> refusal = make_room_for(client);
  if (refusal) {
    shared_.access.count(*refusal, client);
    // Over TLS the error could only be sent after a handshake, which is too costly for a refusal.
    if (is_tls || sessions_.size() >= shared_.clients.size() + kToldMax) return;
  }
  auto tls = is_tls ? std::make_unique<net::TlsStream>(*context) : nullptr;
  const auto session =
      std::make_shared<Session>(std::move(stream), std::move(tls), shared_, now_ns());
  sessions_.insert(session);
  if (refusal) return session->refuse_connection(*refusal);
  session->enter(client, is_tls && !shared_.deployment->options().tls.client_ca.empty());
  if (is_tls) handshakes_.begin(session->connection(), client);
  session->connection().start();
}

// Why there is no room for another connection of this client. Empty: there is room.
std::optional<Refusal> Frontend::make_room_for(const std::string& client) {
  const uint64_t of_client = shared_.connections_per_client;
  if (of_client > 0 && shared_.clients.count_of(client) >= of_client) {
    return Refusal::kConnectionsPerClient;
  }
  if (shared_.clients.size() < shared_.limits.connections || close_idle()) return std::nullopt;
  return Refusal::kConnections;
}

bool Frontend::close_idle() {
  for (size_t looks = 0; looks < kLooksMax; ++looks) {
    Session* const session = shared_.clients.oldest_idle();
    if (session == nullptr) return false;
    if (session->make_room()) return true;
  }
  return false;
}

void Frontend::report_refusals() {
  for (const AccessControl::Report& report : shared_.access.take_reports(now_ns())) {
    log(Level::kWarning, report.event,
        {{"why", report.why},
         {"count", report.count},
         {"total", report.total},
         {"last", report.whom}});
  }
}

}  // namespace ringmaster::master
