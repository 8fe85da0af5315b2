// feature_service: the upstream of the demo, the tests and the benchmarks.

#include <cstdio>
#include <fmt/format.h>

#include "base/log.h"
#include "demo/feature_service/options.h"
#include "demo/feature_service/server.h"
#include "demo/feature_service/service.h"
#include "demo/feature_service/sessions.h"
#include "demo/feature_service/users.h"

namespace ringmaster::feature_service {
namespace {

Result<Users> find_users(const Options& options) {
  if (options.sessions.empty()) return Users();
  Result<Sessions> sessions = Sessions::load(options.sessions);
  if (!sessions) return tl::unexpected(sessions.error());
  return Users(std::move(*sessions));
}

Status serve(const Options& options) {
  Result<Users> users = find_users(options);
  if (!users) return tl::unexpected(users.error());
  Service service(std::move(*users), options.events, options.fates);
  Server server(service, options.drip_ms);
  if (Status listening = server.listen(options.address); !listening) return listening;
  log(Level::kInfo, "listening", {{"address", server.address()}, {"users", service.user_count()}});
  server.run();
  log(Level::kInfo, "stopped", {{"requests", service.request_count()}});
  return {};
}

Status run(int argc, char** argv) {
  LogOptions log_options;
  log_options.role = "feature_service";
  if (Status ready = set_up_log(log_options); !ready) return ready;
  const Result<CommandLine> line = parse_options(argc, argv);
  if (!line) return tl::unexpected(line.error());
  if (line->text.empty()) return serve(line->options);
  fmt::print("{}\n", line->text);
  return {};
}

}  // namespace
}  // namespace ringmaster::feature_service

int main(int argc, char** argv) {
  const ringmaster::Status status = ringmaster::feature_service::run(argc, argv);
  if (status) return 0;
  fmt::print(stderr, "feature_service: {}\n", status.error().message);
  return static_cast<int>(status.error().exit_code);
}
