#include "net/client/authenticate.h"

#include <cerrno>
#include <fmt/format.h>
#include <sys/socket.h>

#include "base/json/scan.h"

namespace ringmaster {

std::string token_request(const std::string& token) {
  return fmt::format(R"({{"jsonrpc":"2.0","id":0,"method":"rpc.auth","params":[{}]}})"
                     "\n",
                     json::quote(token));
}

Status check_token_answer(const std::string& address, const std::string& answer) {
  if (json::find_member(answer, "result") == "true") return {};
  const std::string_view why = json::find_member(answer, "error.message");
  return fail(ExitCode::kResource,
              fmt::format("{} does not accept the token: {}", address, why.empty() ? answer : why));
}

Status show_token(int fd, const std::string& address, const std::string& token,
                  const Deadline& deadline) {
  const std::string request = token_request(token);
  if (!deadline.apply(fd)) return deadline.passed(address);
  // A new connection's send buffer has room for all of it.
  if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) {
    return fail_errno("send to " + address, errno);
  }
  std::string answer;
  for (char byte = 0; byte != '\n';) {
    if (!deadline.apply(fd)) return deadline.passed(address);
    const ssize_t got = ::recv(fd, &byte, 1, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return deadline.passed(address);
    if (got < 0) return fail_errno("receive from " + address, errno);
    if (got == 0) return fail(ExitCode::kResource, address + " closed the connection");
    answer += byte;
  }
  return check_token_answer(address, answer);
}

}  // namespace ringmaster
