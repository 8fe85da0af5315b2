// bare_proxy HOST:PORT: what any server must do for a fetch and an echo. Each line is one POST
// to 127.0.0.1:PORT, whose answer is read whole and thrown away; then the line is echoed: see
// bare.h.
// Connections to the upstream are kept. An answer must come in one read, as short ones do.
#include <memory>
#include <vector>

#include "bare.h"

namespace {

using ringmaster::bench::Client, ringmaster::bench::Handler, ringmaster::bench::Line,
    ringmaster::bench::Loop, ringmaster::bench::checked;

sockaddr_in upstream;

// A connection to the upstream, with the line that waits for its answer.
class Fetch : public Handler {
 public:
  explicit Fetch(Loop& loop) {
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    checked(::connect(fd_, reinterpret_cast<const sockaddr*>(&upstream), sizeof upstream),
            "connect");
    loop.watch(fd_, EPOLLIN, *this);
  }
  void send(Client& client, const Line& line) {
    client_ = &client;
    answer_.clear();
    ringmaster::bench::append_answer(answer_, line.head, line.rest);
    answer_ += '\n';
    const std::string_view body = line.rest.substr(0, line.rest.size() - 1);
    request_ =
        "POST /features HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
        "Content-Type: application/json\r\nContent-Length: ";
    ((request_ += std::to_string(body.size())) += "\r\n\r\n") += body;
    if (::write(fd_, request_.data(), request_.size()) < 0) std::exit(1);
  }
  void on_ready(uint32_t) override;

 private:
  int fd_ = checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  Client* client_ = nullptr;
  std::string answer_, request_;
};

std::vector<Fetch*> idle;

void Fetch::on_ready(uint32_t) {
  char bytes[64 << 10];
  if (::read(fd_, bytes, sizeof bytes) <= 0) std::exit(1);
  client_->output += answer_;
  client_->flush();
  idle.push_back(this);
}

struct ProxyClient : Client {
  ProxyClient(Loop& loop, int fd) : Client(loop, fd), loop_(loop) {}
  void on_line(std::string_view text) override {
    Fetch* fetch = idle.empty() ? new Fetch(loop_) : idle.back();
    if (!idle.empty()) idle.pop_back();
    fetch->send(*this, Line(text));
  }
  Loop& loop_;
};

}  // namespace

int main(int argc, char** argv) {
  const char* const colon = argc == 2 ? std::strchr(argv[1], ':') : nullptr;
  if (colon == nullptr) return 64;
  upstream.sin_family = AF_INET;
  upstream.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  upstream.sin_port = htons(static_cast<uint16_t>(std::atoi(colon + 1)));
  Loop loop;
  const ringmaster::bench::Listener<ProxyClient> listener(loop);
  while (true)
    loop.turn(-1);
}
