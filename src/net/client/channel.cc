#include "net/client/channel.h"

#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <utility>

#include "net/client/tls_channel.h"

namespace ringmaster::net {
namespace {

class PlainChannel final : public Channel {
 public:
  PlainChannel(Fd socket, std::string address, const Deadline& deadline)
      : socket_(std::move(socket)), address_(std::move(address)), deadline_(deadline) {}

  Status send(std::string_view bytes) override {
    while (!bytes.empty()) {
      if (!deadline_.apply(socket_.get())) return deadline_.passed(address_);
      const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) return {};
      if (sent < 0 && errno == EAGAIN) return deadline_.passed(address_);
      if (sent < 0 && errno != EINTR) return fail_errno("send to " + address_, errno);
      if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return {};
  }

  Result<size_t> receive(std::span<char> room) override {
    while (true) {
      if (!deadline_.apply(socket_.get())) return deadline_.passed(address_);
      const ssize_t got = ::recv(socket_.get(), room.data(), room.size(), 0);
      if (got >= 0) return static_cast<size_t>(got);
      if (errno == EAGAIN) return deadline_.passed(address_);
      if (errno == EINTR) continue;
      return fail_errno(address_ + " closed the connection without an answer", errno);
    }
  }

 private:
  const Fd socket_;
  const std::string address_;
  const Deadline deadline_;
};

}  // namespace

Result<std::unique_ptr<Channel>> open_channel(const std::string& address,
                                              const ClientTlsFiles& files,
                                              const Deadline& deadline) {
  std::shared_ptr<const TlsContext> context;
  if (is_tls(address)) {
    auto made = TlsContext::create_client(files);
    if (!made) return tl::unexpected(made.error());
    context = *made;
  }
  Result<Fd> socket = connect_to(without_tls(address), deadline);
  if (!socket) return tl::unexpected(socket.error());
  auto plain = std::make_unique<PlainChannel>(std::move(*socket), address, deadline);
  if (context == nullptr) return plain;
  auto tls = std::make_unique<TlsChannel>(std::move(plain), *context, address, files);
  const Status opened = tls->shake_hands();
  if (!opened) return tl::unexpected(opened.error());
  return tls;
}

}  // namespace ringmaster::net
