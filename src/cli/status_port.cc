#include "cli/status_port.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <thread>

#include "cli/configuration.h"
#include "config/addresses.h"
#include "config/config.h"
#include "net/client/channel.h"

namespace ringmaster::cli {
namespace {

constexpr uint64_t kAnswerMs = 10'000;
constexpr std::chrono::milliseconds kAgain{100};
constexpr size_t kReadBytes = 64 << 10;
constexpr size_t kPageBytesMax = 64 << 20;  // a trace has some megabytes

Result<std::string> ask_for(const std::string& address, const std::string& request,
                            const Deadline& deadline) {
  const net::ClientTlsFiles no_tls;
  const auto channel = net::open_channel(address, no_tls, deadline);
  if (!channel) return tl::unexpected(channel.error());
  const Status sent = (*channel)->send(request);
  if (!sent) return tl::unexpected(sent.error());
  std::string received;
  size_t size = 0;
  while (size < kPageBytesMax) {
    received.resize(std::max(received.size(), size + kReadBytes));
    const Result<size_t> got =
        (*channel)->receive({received.data() + size, received.size() - size});
    if (!got) return tl::unexpected(got.error());
    if (*got == 0) break;
    size += *got;
  }
  received.resize(size);
  return received;
}

}  // namespace

Status check_status_port(const CommandLine& line, const std::string& address,
                         std::string_view hint) {
  if (!address.empty() && (!address.ends_with(":0") || net::is_unix(address))) return {};
  return fail(ExitCode::kResource,
              fmt::format("{}: [listen] status = \"{}\" names no status port to ask: {}",
                          line.config, address, hint));
}

Result<std::string> find_status_port(const CommandLine& line, std::string_view command) {
  if (!line.to.empty()) {
    const auto fault = config::find_fault_in_address(line.to);
    if (fault) return fail(ExitCode::kUsage, fmt::format("{}: --to: {}", command, *fault));
    return line.to;
  }
  const Result<master::Options> options = load_of_server(line, command);
  if (!options) return tl::unexpected(options.error());
  const std::string& address = options->listen_status;
  const Status named =
      check_status_port(line, address, "use --to with the address that the server logged");
  if (!named) return tl::unexpected(named.error());
  return address;
}

Result<std::string> get_page(const std::string& address, std::string_view path) {
  const std::string request =
      fmt::format("GET {} HTTP/1.1\r\nHost: ringmaster\r\nConnection: close\r\n\r\n", path);
  const Deadline deadline(kAnswerMs);
  Result<std::string> answer = ask_for(address, request, deadline);
  // After a long page the port makes no other one for a while.
  while (answer && answer->starts_with("HTTP/1.1 503 ")) {
    std::this_thread::sleep_for(kAgain);
    answer = ask_for(address, request, deadline);
  }
  if (!answer) return answer;
  const size_t head_end = answer->find("\r\n\r\n");
  const bool is_whole = answer->ends_with('\n');  // a page of JSON has one newline: its last byte
  if (answer->starts_with("HTTP/1.1 200 ") && head_end != std::string::npos && is_whole) {
    return answer->substr(head_end + 4);
  }
  return not_the_page(address, path);
}

tl::unexpected<Error> not_the_page(const std::string& address, std::string_view path) {
  return fail(
      ExitCode::kResource,
      fmt::format("{}: expected the status port of a ringmaster with the page {}", address, path));
}

std::string without_controls(std::string_view text) {
  std::string safe(text);
  for (size_t i = 0; i < safe.size(); ++i) {
    const auto byte = static_cast<unsigned char>(safe[i]);
    const auto before = static_cast<unsigned char>(i > 0 ? safe[i - 1] : 0);
    const bool is_c1 = before == 0xc2 && byte >= 0x80 && byte < 0xa0;  // U+0080 to U+009F
    if (byte < ' ' || byte == 0x7f) safe[i] = ' ';
    if (is_c1) safe[i - 1] = safe[i] = ' ';
  }
  return safe;
}

}  // namespace ringmaster::cli
