#include "demo/feature_service/sessions.h"

#include <cerrno>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>
#include <zlib.h>

#include "demo/categories.h"

namespace ringmaster::feature_service {
namespace {

constexpr unsigned kReadBytes = 256 * 1024;
constexpr std::string_view kHeaderEnd = "% Sequences";

struct CloseFile {
  void operator()(gzFile file) const { gzclose_r(file); }
};
using File = std::unique_ptr<gzFile_s, CloseFile>;

std::string_view trimmed(std::string_view line) {
  const size_t end = line.find_last_not_of(" \t\r\n");
  return line.substr(0, end == std::string_view::npos ? 0 : end + 1);
}

std::string read_failure(gzFile file) {
  int code = Z_OK;
  const char* text = gzerror(file, &code);
  return code == Z_ERRNO ? std::strerror(errno) : text;
}

}  // namespace

// Fills a Sessions from the text of a file, given in pieces of any size.
class SessionsReader {
 public:
  explicit SessionsReader(std::string path) : path_(std::move(path)) {}

  [[nodiscard]] Status take(std::string_view text);
  [[nodiscard]] Result<Sessions> finish();

 private:
  [[nodiscard]] Status take_line(std::string_view line);
  [[nodiscard]] Status take_header(std::string_view line);
  [[nodiscard]] Status take_sequence(std::string_view line);
  tl::unexpected<Error> fault(const std::string& what) const {
    return fail(ExitCode::kConfig, fmt::format("{}:{}: {}", path_, line_, what));
  }

  const std::string path_;
  Sessions sessions_;
  std::string begun_;  // a line whose end is in a later piece
  size_t line_ = 0;
  bool has_names_ = false;
  bool in_header_ = true;
};

Status SessionsReader::take(std::string_view text) {
  for (size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1)) {
    std::string_view line = text.substr(0, end);
    if (!begun_.empty()) line = begun_.append(line);
    if (Status taken = take_line(line); !taken) return taken;
    begun_.clear();
  }
  begun_.append(text);
  return {};
}

Result<Sessions> SessionsReader::finish() {
  if (Status taken = take_line(begun_); !taken) return tl::unexpected(taken.error());
  if (in_header_) return fault(fmt::format("expected a line \"{}\", found none", kHeaderEnd));
  if (sessions_.count() == 0) return fault("expected sequences after the header, found none");
  sessions_.pages_.shrink_to_fit();
  sessions_.ends_.shrink_to_fit();
  return std::move(sessions_);
}

Status SessionsReader::take_line(std::string_view line) {
  ++line_;
  line = trimmed(line);
  if (line.empty()) return {};
  return in_header_ ? take_header(line) : take_sequence(line);
}

Status SessionsReader::take_header(std::string_view line) {
  static const std::string kNames = fmt::format("{}", fmt::join(kCategories, " "));
  in_header_ = !line.starts_with(kHeaderEnd);
  if (line == kNames) {
    has_names_ = true;
  } else if (!line.starts_with('%')) {
    return fault(fmt::format("expected a header line that begins with % or is \"{}\"", kNames));
  }
  if (in_header_ || has_names_) return {};
  return fault(fmt::format("expected a line \"{}\" before this one", kNames));
}

Status SessionsReader::take_sequence(std::string_view line) {
  unsigned number = 0;
  bool has_digits = false;
  for (size_t i = 0; i <= line.size(); ++i) {
    const char c = i < line.size() ? line[i] : ' ';
    if (c >= '0' && c <= '9' && number <= kCategoryCount) {
      number = number * 10 + static_cast<unsigned>(c - '0');
      has_digits = true;
    } else if (c == ' ' || c == '\t') {
      if (has_digits && (number < 1 || number > kCategoryCount)) break;
      if (has_digits) sessions_.pages_.push_back(static_cast<uint8_t>(number - 1));
      number = 0;
      has_digits = false;
    } else {
      has_digits = true;  // the text is not a category's number
      break;
    }
  }
  if (has_digits) {
    return fault(
        fmt::format("expected category numbers from 1 to {} with spaces between them, "
                    "found \"{:.60}\"",
                    kCategoryCount, line));
  }
  if (sessions_.pages_.size() > std::numeric_limits<uint32_t>::max()) {
    return fault("expected fewer than 2^32 pages in all");
  }
  sessions_.ends_.push_back(static_cast<uint32_t>(sessions_.pages_.size()));
  return {};
}

Result<Sessions> Sessions::load(const std::string& path) {
  const auto failure = [&](const std::string& why) {
    return fail(ExitCode::kConfig, fmt::format("read the sessions file {}: {}", path, why));
  };
  const File file(gzopen(path.c_str(), "rb"));
  if (!file) return failure(std::strerror(errno));
  gzbuffer(file.get(), kReadBytes);
  SessionsReader reader(path);
  const auto piece = std::make_unique<char[]>(kReadBytes);
  while (true) {
    const int size = gzread(file.get(), piece.get(), kReadBytes);
    // Only gzerror() reports a truncated gzip file, after its last bytes were read.
    int code = Z_OK;
    gzerror(file.get(), &code);
    if (size < 0 || code == Z_BUF_ERROR) return failure(read_failure(file.get()));
    if (size == 0) return reader.finish();
    if (Status taken = reader.take({piece.get(), static_cast<size_t>(size)}); !taken) {
      return tl::unexpected(taken.error());
    }
  }
}

}  // namespace ringmaster::feature_service
