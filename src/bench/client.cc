#include "bench/client.h"

#include <cerrno>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "net/client/authenticate.h"
#include "net/client/connect.h"

namespace ringmaster::bench {
namespace {

constexpr uint64_t kConnectMs = 10'000;

// One buffer for all clients: each read is decoded at once.
constexpr size_t kReadBytes = 256 << 10;
char read_buffer[kReadBytes];

bool is_for_later(int error) {
  return error == EAGAIN || error == EINTR;
}

}  // namespace

Status Client::connect() {
  const Deadline deadline(kConnectMs);
  Result<Fd> socket = connect_to(options_.address, deadline);
  if (!socket) return tl::unexpected(socket.error());
  if (!options_.token.empty() && options_.http_path.empty()) {
    Status shown = show_token(socket->get(), options_.address, options_.token, deadline);
    if (!shown) return shown;
  }
  const int on = 1;  // setsockopt() fails for a unix socket, which needs no TCP_NODELAY
  ::setsockopt(socket->get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::fcntl(socket->get(), F_SETFL, O_NONBLOCK) != 0) return fail_errno("fcntl", errno);
  codec_ = options_.http_path.empty()
               ? make_line_codec()
               : make_http_codec(options_.address, options_.http_path, options_.token);
  socket_ = std::move(*socket);
  return {};
}

void Client::send(uint64_t number, std::string_view json) {
  codec_->append_request(output_, json);
  ++in_flight_;
  last_number_ = number;
}

Status Client::flush() {
  while (is_blocked()) {
    const ssize_t sent = ::send(fd(), output_.data() + sent_, output_.size() - sent_, MSG_NOSIGNAL);
    if (sent < 0 && is_for_later(errno)) return {};
    if (sent < 0) return fail_errno("send", errno);
    sent_ += static_cast<size_t>(sent);
  }
  output_.clear();
  sent_ = 0;
  return {};
}

Status Client::receive(const Codec::OnAnswer& on_answer) {
  for (;;) {
    const ssize_t size = ::recv(fd(), read_buffer, kReadBytes, 0);
    if (size < 0 && is_for_later(errno)) return {};
    if (size < 0) return fail_errno("receive", errno);
    if (size == 0) return on_end();
    bool is_over = false;
    Status fed = codec_->feed({read_buffer, static_cast<size_t>(size)}, [&](Answer answer) {
      --in_flight_;
      is_over = answer.is_last;
      if (!codec_->may_pipeline()) answer.number = last_number_;  // not the id in the body
      on_answer(answer);
    });
    if (is_over) socket_ = Fd();
    if (!fed || is_over || static_cast<size_t>(size) < kReadBytes) return fed;
  }
}

Status Client::on_end() {
  if (codec_->may_pipeline() || in_flight_ > 0) {
    return fail(ExitCode::kResource, "the server has closed a connection");
  }
  socket_ = Fd();
  return {};
}

}  // namespace ringmaster::bench
