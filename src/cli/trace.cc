#include "cli/trace.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>
#include <memory>
#include <string>

#include "cli/status_port.h"

namespace ringmaster::cli {
namespace {

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

tl::unexpected<Error> failed(const std::string& name) {
  return fail(ExitCode::kResource, fmt::format("{}: {}", name, std::strerror(errno)));
}

}  // namespace

Result<int> trace(const CommandLine& line) {
  const Result<std::string> address = find_status_port(line, "trace");
  if (!address) return tl::unexpected(address.error());
  const Result<std::string> page =
      get_page(*address, line.kept ? "/kept_trace.json" : "/trace.json");
  if (!page) return tl::unexpected(page.error());
  const bool is_stdout = line.output.empty();
  const std::string name = is_stdout ? "stdout" : line.output;
  const std::unique_ptr<std::FILE, Close> file(is_stdout ? nullptr
                                                         : std::fopen(name.c_str(), "we"));
  if (!is_stdout && file == nullptr) return failed(name);
  std::FILE* const out = is_stdout ? stdout : file.get();
  if (std::fwrite(page->data(), 1, page->size(), out) < page->size() || std::fflush(out) != 0) {
    return failed(name);
  }
  if (!is_stdout) std::printf("%s: open it at https://ui.perfetto.dev\n", name.c_str());
  return 0;
}

}  // namespace ringmaster::cli
