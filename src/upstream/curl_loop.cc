#include "upstream/curl_loop.h"

#include <algorithm>
#include <cstdint>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "upstream/name_lookup.h"

namespace ringmaster::upstream {
namespace {

// The IP address of the other side; empty: it is not known.
std::string peer_of(curl_socket_t socket) {
  sockaddr_storage peer{};
  socklen_t size = sizeof(peer);
  auto* const address = reinterpret_cast<sockaddr*>(&peer);
  return ::getpeername(socket, address, &size) == 0 ? ip_text(address) : "";
}

}  // namespace

CurlLoop::CurlLoop(uv_loop_t* loop, size_t connections, Events events)
    : loop_(loop),
      connections_(connections),
      events_(std::move(events)),
      timer_(make_handle<uv_timer_t>(loop, this, uv_timer_init)),
      multi_(curl_multi_init()) {
  CURLM* multi = multi_.get();
  RM_ASSERT(multi != nullptr);
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &CurlLoop::on_socket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &CurlLoop::on_timer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, static_cast<long>(connections));
  curl_multi_setopt(multi, CURLMOPT_MAX_CONCURRENT_STREAMS, static_cast<long>(kStreamsMax));
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(connections));
}

void CurlLoop::add(CURL* easy) {
  curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, &CurlLoop::on_open);
  curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, this);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, &CurlLoop::on_close);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, this);
  RM_ASSERT(curl_multi_add_handle(multi_.get(), easy) == CURLM_OK);
  ++transfers_;
}

void CurlLoop::remove(CURL* easy) {
  curl_multi_remove_handle(multi_.get(), easy);
  --transfers_;
}

// libcurl sees the end before it would use the connection again, and closes the socket.
void CurlLoop::end_idle_except(std::span<const std::string> addresses) {
  for (const auto& [socket, watch] : watches_) {
    if (watch.is_idle && std::ranges::count(addresses, peer_of(socket)) == 0)
      ::shutdown(socket, SHUT_RDWR);
  }
}

bool CurlLoop::is_http1(int local_port) const {
  return std::ranges::any_of(watches_, [&](const auto& one) {
    const Watch& watch = one.second;
    return watch.is_kept && !watch.is_http2 && watch.local_port == local_port;
  });
}

// Without events, an idle connection has ended, or has input of HTTP/2 that may be its end.
size_t CurlLoop::open_room() const {
  size_t idle = 0, streams = 0;
  for (const auto& [socket, watch] : watches_) {
    if (!watch.is_kept || watch.events == 0) continue;
    if (watch.is_http2) {
      streams += kStreamsMax;
    } else if (watch.is_idle) {
      ++idle;
    }
  }
  return idle + (streams - std::min(streams, transfers_));
}

int CurlLoop::on_open(void* user, curl_socket_t socket, curlsocktype) {
  auto* self = static_cast<CurlLoop*>(user);
  self->events_.on_opened();
  const auto former = self->watches_.find(socket);
  if (former == self->watches_.end()) return CURL_SOCKOPT_OK;
  // libcurl has closed a former socket of this number, whose connection was not made, without a
  // callback. libcurl does not ask again for the events that it wanted there.
  const int events = former->second.events;
  self->watches_.erase(former);
  self->look_for(socket, self->watches_[socket], events);
  return CURL_SOCKOPT_OK;
}

int CurlLoop::on_close(void* user, curl_socket_t socket) {
  static_cast<CurlLoop*>(user)->watches_.erase(socket);  // before another socket can get its number
  return ::close(socket);
}

// libcurl's callback: the events of a socket that it waits for.
int CurlLoop::on_socket(CURL*, curl_socket_t socket, int what, void* user, void*) {
  auto* self = static_cast<CurlLoop*>(user);
  Watch& watch = self->watches_[socket];
  watch.is_idle = what == CURL_POLL_REMOVE;
  if (!watch.is_idle) {
    self->look_for(
        socket, watch,
        (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0));
  } else if (!watch.is_kept) {
    self->watches_.erase(socket);  // the socket may be closed already
  }
  return 0;
}

void CurlLoop::look_for(curl_socket_t socket, Watch& watch, int events) {
  if (watch.events == events) return;
  watch.events = events;
  if (!watch.poll) {
    watch.poll = make_handle<uv_poll_t>(loop_, this, uv_poll_init_socket, socket);
  }
  uv_poll_start(watch.poll.get(), events, [](uv_poll_t* handle, int status, int ready) {
    uv_os_fd_t fd = -1;
    uv_fileno(reinterpret_cast<uv_handle_t*>(handle), &fd);
    static_cast<CurlLoop*>(handle->data)->on_event(fd, status, ready);
  });
}

void CurlLoop::on_event(curl_socket_t socket, int status, int ready) {
  Watch& watch = watches_.at(socket);
  if (status < 0 || watch.is_idle) {
    uv_poll_stop(watch.poll.get());
    watch.events = 0;
  }
  if (watch.is_idle && watch.is_http2) return;
  if (watch.is_idle) {
    // The connection's end, or unrequested bytes, which libcurl would take for the next response.
    // We discard them and shut the socket down: libcurl sees an end, and does not use the
    // connection again.
    ::recv(socket, nullptr, SIZE_MAX, MSG_TRUNC | MSG_DONTWAIT);
    ::shutdown(socket, SHUT_RDWR);
    return;
  }
  // libcurl finds the error when it reads. (For a reported error it may blame another address of
  // the same upstream.)
  const bool is_broken = status < 0;
  act(socket, (is_broken || (ready & UV_READABLE) ? CURL_CSELECT_IN : 0) |
                  (is_broken || (ready & UV_WRITABLE) ? CURL_CSELECT_OUT : 0));
}

int CurlLoop::on_timer(CURLM*, long timeout_ms, void* user) {
  auto* self = static_cast<CurlLoop*>(user);
  if (timeout_ms < 0) return uv_timer_stop(self->timer_.get());
  // Never at once: libcurl must not be called from this callback.
  return uv_timer_start(
      self->timer_.get(),
      [](uv_timer_t* timer) { static_cast<CurlLoop*>(timer->data)->act(CURL_SOCKET_TIMEOUT, 0); },
      static_cast<uint64_t>(timeout_ms), 0);
}

void CurlLoop::act(curl_socket_t socket, int events) {
  int running = 0;
  curl_multi_socket_action(multi_.get(), socket, events, &running);
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* easy = message->easy_handle;  // on_done may free the message
    const CURLcode code = message->data.result;
    keep_connection(easy);
    events_.on_done(easy, code);
  }
}

// Keeps watching the connection, if it was made for this transfer and is still open. An HTTP/2
// connection may have been made for a transfer that was cancelled.
void CurlLoop::keep_connection(CURL* easy) {
  long made = 0, version = 0;
  curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &made);
  curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
  const bool is_http2 = version == CURL_HTTP_VERSION_2_0;
  if (made == 0 && !is_http2) return;
  curl_socket_t socket = CURL_SOCKET_BAD;
  curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &socket);
  if (socket == CURL_SOCKET_BAD) return;
  Watch& watch = watches_[socket];
  watch.is_kept = true;
  watch.is_http2 = is_http2;
  long local_port = 0;
  curl_easy_getinfo(easy, CURLINFO_LOCAL_PORT, &local_port);
  watch.local_port = static_cast<int>(local_port);
  if (watch.poll) return;
  watch.is_idle = true;
  look_for(socket, watch, UV_READABLE);
}

}  // namespace ringmaster::upstream
