#include "base/log.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "support.h"

namespace ringmaster {
namespace {

std::string read_all(const Fd& fd) {
  std::string text;
  char piece[4096];
  for (ssize_t size; (size = ::read(fd.get(), piece, sizeof piece)) > 0;)
    text.append(piece, static_cast<size_t>(size));
  return text;
}

}  // namespace

TEST_CASE("log: a reader that does not read loses lines, stops nobody, and is told how many") {
  const test::TemporaryFolder folder;
  const std::string path = folder.at("fifo");
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  const Fd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  REQUIRE(reader.is_open());
  LogOptions options;
  options.role = "test";
  options.file = path;
  REQUIRE(set_up_log(options));
  const std::string text(900, 'x');
  for (int i = 0; i < 1000; ++i)  // many times what the fifo holds
    log(Level::kInfo, "line", {{"i", i}, {"text", text}});
  const std::string kept = read_all(reader);
  CHECK(kept.find("event=line i=0 ") != std::string::npos);
  CHECK(kept.find(" i=999 ") == std::string::npos);
  CHECK(kept.ends_with("x\n"));
  const auto lines = std::count(kept.begin(), kept.end(), '\n');
  log(Level::kInfo, "next");
  log(Level::kInfo, "last");
  const std::string after = read_all(reader);
  CHECK(after.find("event=log_lines_lost count=" + std::to_string(1000 - lines) + "\n") !=
        std::string::npos);
  CHECK(after.find("event=next") != std::string::npos);
  CHECK(std::count(after.begin(), after.end(), '\n') == 3);
  REQUIRE(set_up_log({}));
}

TEST_CASE("log: a field that is very long is cut") {
  const test::TemporaryFolder folder;
  LogOptions options;
  options.role = "test";
  options.file = folder.at("log");
  REQUIRE(set_up_log(options));
  log(Level::kInfo, "long", {{"text", std::string(100'000, 'x')}, {"after", 1}});
  REQUIRE(set_up_log({}));
  const Fd file(::open(folder.at("log").c_str(), O_RDONLY | O_CLOEXEC));
  const std::string line = read_all(file);
  CHECK(line.size() < 2000);
  CHECK(line.ends_with("xxx... after=1\n"));
}

}  // namespace ringmaster
