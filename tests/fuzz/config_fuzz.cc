// The configuration: the input is the text of a file.
//
// Whatever the text: each problem has a line of the file and a message. If there are no problems,
// load() accepts the effective configuration, which means the same, and the specifications of
// handlers reach the fork server unchanged.
#include <algorithm>
#include <string>
#include <variant>

#include "config/config.h"
#include "config/keys.h"
#include "fuzz.h"
#include "ipc/control.h"
#include "temporary_folder.h"

namespace ringmaster::config {
namespace {

// A folder with a handler and a model. The end of the program removes it.
class Folder {
 public:
  Folder() {
    folder_.write("echo.so", "");
    folder_.write("model.ubj", "");
  }
  Loaded load(std::string_view text) const {
    return config::load(folder_.write("x.toml", std::string(text)), {folder_.at("")});
  }

 private:
  test::TemporaryFolder folder_;
};

void check_problems(const Loaded& loaded, std::string_view text) {
  const auto lines = static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  size_t last_line = 0;
  for (const Problem& problem : loaded.problems) {
    RM_ASSERT(!problem.file.empty() && !problem.message.empty());
    RM_ASSERT(problem.line <= lines && problem.line >= last_line);
    last_line = problem.line;
  }
}

void check_handlers(const Options& options) {
  for (const ipc::HandlerSpec& spec : options.handlers) {
    const Result<ipc::HandlerSpec> arrived = ipc::decode_handler(ipc::encode(spec));
    RM_ASSERT(arrived && arrived->name == spec.name && arrived->library == spec.library);
    RM_ASSERT(arrived->options == spec.options);
  }
}

bool is_same_step(const master::Step& a, const master::Step& b) {
  if (a.index() != b.index()) return false;
  if (const auto* run = std::get_if<master::RunStep>(&a)) {
    return run->handler == std::get<master::RunStep>(b).handler;
  }
  const auto& fetch = std::get<master::FetchStep>(a);
  const auto& other = std::get<master::FetchStep>(b);
  return fetch.upstream == other.upstream && fetch.request.body() == other.request.body() &&
         fetch.request.path() == other.request.path() && fetch.name == other.name &&
         fetch.is_with_previous == other.is_with_previous;
}

// Compares the settings that dump() could lose or misname while a dump of its dump stays the same.
bool is_same(const Options& a, const Options& b) {
  return a.listen_rpc == b.listen_rpc && a.listen_status == b.listen_status && a.allow == b.allow &&
         a.tls == b.tls && a.unix_access.owner == b.unix_access.owner &&
         a.unix_access.mode == b.unix_access.mode &&
         std::ranges::equal(a.upstreams, b.upstreams,
                            [](const UpstreamOptions& one, const UpstreamOptions& other) {
                              return one.name == other.name && one.url == other.url;
                            }) &&
         std::ranges::equal(a.handlers, b.handlers,
                            [](const ipc::HandlerSpec& one, const ipc::HandlerSpec& other) {
                              return one.name == other.name && one.library == other.library &&
                                     one.options == other.options;
                            }) &&
         std::ranges::equal(a.methods, b.methods, [](const Method& one, const Method& other) {
           return one.name == other.name &&
                  std::ranges::equal(one.steps, other.steps, is_same_step);
         });
}

}  // namespace
}  // namespace ringmaster::config

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringmaster;
  static const config::Folder folder;
  const std::string_view text = fuzz::text_of(data, size);
  const config::Loaded loaded = folder.load(text);
  config::check_problems(loaded, text);
  if (!loaded.problems.empty()) return 0;
  config::check_handlers(loaded.options);
  const std::string effective = config::dump(loaded.options);
  const config::Loaded again = folder.load(effective);
  RM_ASSERT(again.problems.empty());
  RM_ASSERT(config::dump(again.options) == effective);
  RM_ASSERT(config::is_same(again.options, loaded.options));
  return 0;
}
