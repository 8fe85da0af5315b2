#include "cli/client.h"

#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "net/client/authenticate.h"
#include "net/client/channel.h"

namespace ringmaster::cli {
namespace {

constexpr size_t kPieceBytes = 64 << 10;

// Our server sends results of at most 1 GiB (limits.response_bytes).
constexpr size_t kAnswerBytesMax = (1 << 30) + (1 << 20);

constexpr std::chrono::milliseconds kBetweenTries{50};

// A server that starts does not listen yet: its address refuses connections, or its unix socket is
// not there.
Result<std::unique_ptr<net::Channel>> connect(const Server& server, const Timeouts& timeouts) {
  const uint64_t end_ns = now_ns() + timeouts.connect_ms * kNsPerMs;
  while (true) {
    auto channel = net::open_channel(server.address, server.tls, Deadline(timeouts.exchange_ms));
    const bool may_come = !channel && channel.error().exit_code == ExitCode::kResource;
    if (!may_come || now_ns() >= end_ns) return channel;
    std::this_thread::sleep_for(kBetweenTries);
  }
}

// `received`: the bytes that have come and were not yet returned.
Result<std::string> receive_line(net::Channel& channel, const std::string& address,
                                 std::string& received) {
  size_t searched = 0;
  while (true) {
    const size_t end = received.find('\n', searched);
    if (end != std::string::npos) {
      std::string rest = received.substr(end + 1);
      received.resize(end);
      return std::exchange(received, std::move(rest));
    }
    searched = received.size();
    if (searched > kAnswerBytesMax) {
      return fail(ExitCode::kResource, address + ": expected an answer of at most 1 GiB");
    }
    received.resize(searched + kPieceBytes);
    const Result<size_t> got = channel.receive({received.data() + searched, kPieceBytes});
    if (!got) return tl::unexpected(got.error());
    if (*got == 0) {
      return fail(ExitCode::kResource, address + " closed the connection without an answer");
    }
    received.resize(searched + *got);
  }
}

}  // namespace

Result<std::string> ask(const Server& server, const std::string& request,
                        const Timeouts& timeouts) {
  const auto channel = connect(server, timeouts);
  if (!channel) return tl::unexpected(channel.error());
  std::string received;
  const auto exchange = [&](const std::string& line) -> Result<std::string> {
    const Status sent = (*channel)->send(line);
    if (!sent) return tl::unexpected(sent.error());
    return receive_line(**channel, server.address, received);
  };
  if (!server.token.empty()) {
    const Result<std::string> answer = exchange(token_request(server.token));
    if (!answer) return tl::unexpected(answer.error());
    const Status taken = check_token_answer(server.address, *answer);
    if (!taken) return tl::unexpected(taken.error());
  }
  return exchange(request);
}

}  // namespace ringmaster::cli
