#include "base/log.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "read_all.h"
#include "support.h"

namespace ringmaster {
namespace {

using test::read_all;

// A log line with `text` in a field, and another field behind it.
std::string line_with(const std::string& text, bool json) {
  const test::TemporaryFolder folder;
  LogOptions options;
  options.role = "test";
  options.json = json;
  options.file = folder.at("log");
  REQUIRE(set_up_log(options));
  log(Level::kInfo, "event", {{"text", text}, {"after", 1}});
  REQUIRE(set_up_log({}));
  return read_all(Fd(::open(folder.at("log").c_str(), O_RDONLY | O_CLOEXEC)));
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
  const uint64_t backlog = log_backlog();
  const std::string kept = read_all(reader);
  CHECK(backlog == kept.size());
  CHECK(log_backlog() == 0);
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

TEST_CASE("log: a reader that is gone has no backlog, whatever it has not read") {
  const test::TemporaryFolder folder;
  const std::string path = folder.at("fifo");
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  Fd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  LogOptions options;
  options.file = path;
  REQUIRE(set_up_log(options));
  log(Level::kInfo, "line");
  CHECK(log_backlog() > 0);
  reader.reset();
  CHECK(log_backlog() == 0);
  REQUIRE(set_up_log({}));
}

TEST_CASE("log: a line that is longer than the pipe's room does not wait for its reader") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const Fd reader(ends[0]);
  const Fd writer(ends[1]);
  REQUIRE(::fcntl(writer.get(), F_SETPIPE_SZ, 8192) == 8192);
  test::Child child([&] {  // the child's stderr is the pipe, which has room for one more page
    ::dup2(writer.get(), STDERR_FILENO);
    LogOptions options;
    options.role = "test";
    if (!set_up_log(options)) return 1;
    if (::write(STDERR_FILENO, std::string(4095, '.').c_str(), 4096) != 4096) return 2;
    const std::string text(1000, 'x');
    log(Level::kInfo, "long", {{"a", text}, {"b", text}, {"c", text}, {"d", text}, {"e", text}});
    std::string page(8192, '\0');
    if (::read(reader.get(), page.data(), page.size()) != 8192) return 3;
    log(Level::kInfo, "next");
    return 0;
  });
  CHECK(child.exit_code() == 0);
  char text[4096];
  const ssize_t size = ::read(reader.get(), text, sizeof text);
  REQUIRE(size > 0);
  const std::string next(text, static_cast<size_t>(size));
  CHECK(next.starts_with("\nlevel=warning role=test "));
  CHECK(next.find("event=log_lines_lost count=1\n") != std::string::npos);
  CHECK(next.find("event=next\n") != std::string::npos);
}

TEST_CASE("log: a process in the background of a terminal writes, and gets no SIGTTOU") {
  const Fd screen(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  REQUIRE(::grantpt(screen.get()) == 0);
  REQUIRE(::unlockpt(screen.get()) == 0);
  const std::string path = ::ptsname(screen.get());
  test::Child shell([&] {  // the shell's group is in the foreground
    if (::setsid() < 0) return 1;
    const Fd terminal(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    termios settings{};
    if (::tcgetattr(terminal.get(), &settings) != 0) return 2;
    settings.c_lflag |= TOSTOP;
    if (::tcsetattr(terminal.get(), TCSANOW, &settings) != 0) return 3;
    test::Child job([&] {
      static volatile sig_atomic_t signals = 0;
      struct sigaction count {};
      count.sa_handler = [](int) { signals = signals + 1; };
      count.sa_flags = SA_RESTART;
      if (::setpgid(0, 0) != 0 || ::sigaction(SIGTTOU, &count, nullptr) != 0) return 4;
      ::dup2(terminal.get(), STDERR_FILENO);
      if (!set_up_log({})) return 5;
      log(Level::kInfo, "line");
      if (signals != 0) return 6;
      ::raise(SIGTTOU);  // this signal still reaches its handler
      return signals == 1 ? 0 : 7;
    });
    return job.exit_code();
  });
  CHECK(shell.exit_code() == 0);
  char text[256];
  const ssize_t size = ::read(screen.get(), text, sizeof text);
  REQUIRE(size > 0);
  CHECK(std::string(text, static_cast<size_t>(size)).find("event=line") != std::string::npos);
}

TEST_CASE("log: a field that is very long is cut, also where it is escaped") {
  const std::string line = line_with(std::string(100'000, 'x'), false);
  CHECK(line.size() < 2000);
  CHECK(line.ends_with("xxx... after=1\n"));
  const std::string escaped = line_with(std::string(100'000, '\x01'), false);
  CHECK(escaped.size() < 2000);
  CHECK(escaped.ends_with("\\u0001...\" after=1\n"));
}

TEST_CASE("log: no control character and no invalid UTF-8 reaches a terminal") {
  const std::pair<std::string, std::string> cases[] = {
      {"a b", "a b"},
      {"\x1b[2J", R"(\u001b[2J)"},
      {"a\x7f", R"(a\u007f)"},
      {"a~", "a~"},
      {"\xc2\x80", R"(\u0080)"},
      {"\xc2\x9b"
       "31m",
       R"(\u009b31m)"},
      {"\xc2\x9f", R"(\u009f)"},
      {"\xc2\xa0", "\xc2\xa0"},
      {"\x9b"
       "31m",
       R"(\u009b31m)"},
      {"\xc2", R"(\u00c2)"},
      {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
      {"\xe2\x82", R"(\u00e2\u0082)"},
      {"\xc0\x9b", R"(\u00c0\u009b)"},            // not the shortest form
      {"\xe0\x82\x9b", R"(\u00e0\u0082\u009b)"},  // not the shortest form
      {"\xed\xa0\x80", R"(\u00ed\u00a0\u0080)"},  // a surrogate
      {"\xf4\x90\x80\x80", R"(\u00f4\u0090\u0080\u0080)"},
  };
  for (const auto& [text, escaped] : cases) {
    const std::string& expected = escaped;
    CAPTURE(expected);
    const bool is_quoted = expected != "a~";
    CHECK(line_with(text, false)
              .find(is_quoted ? "text=\"" + expected + "\" after=1" : "text=a~ after=1") !=
          std::string::npos);
    CHECK(line_with(text, true).find("\"text\":\"" + expected + "\",\"after\":1") !=
          std::string::npos);
  }
}

TEST_CASE("log: a FIFO without a reader is an error, and is not waited for") {
  const test::TemporaryFolder folder;
  REQUIRE(::mkfifo(folder.at("fifo").c_str(), 0600) == 0);
  LogOptions options;
  options.file = folder.at("fifo");
  const Status set_up = set_up_log(options);
  REQUIRE(!set_up);
  CHECK(set_up.error().exit_code == ExitCode::kResource);
}

}  // namespace ringmaster
