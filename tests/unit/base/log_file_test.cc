#include <doctest/doctest.h>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "read_all.h"
#include "support.h"

namespace ringmaster {
namespace {

using test::read_all;

// A log in a file, for the time of a test.
struct FileLog {
  FileLog() {
    options.role = "test";
    options.file = folder.at("log");
    REQUIRE(set_up_log(options));
  }
  ~FileLog() { CHECK(set_up_log({})); }
  std::string text() const { return read_all(Fd(::open(options.file.c_str(), O_RDONLY))); }

  test::TemporaryFolder folder;
  LogOptions options;
};

}  // namespace

TEST_CASE("log: an ambiguous text is quoted, and its control characters are escaped") {
  const FileLog file;
  log(Level::kInfo, "quoted",
      {{"a", "plain"}, {"b", "x=y"}, {"c", ""}, {"d", "\"\\"}, {"e", "1 2"}, {"f", "\x1f"}});
  CHECK(file.text().ends_with(
      " event=quoted a=plain b=\"x=y\" c=\"\" d=\"\\\"\\\\\" e=\"1 2\" f=\"\\u001f\"\n"));
}

TEST_CASE("log: a file is written at its end, and one that cannot be opened again stays in use") {
  FileLog file;
  log(Level::kInfo, "first");
  CHECK(reopen_log());
  log(Level::kInfo, "second");
  CHECK(file.text().find("event=first") != std::string::npos);
  LogOptions elsewhere = file.options;
  elsewhere.file = file.folder.at("no/such/folder/log");
  CHECK(!set_up_log(elsewhere));
  log(Level::kInfo, "third");
  CHECK(file.text().find("event=second") < file.text().find("event=third"));
  CHECK(file.text().find("event=third") != std::string::npos);
}

}  // namespace ringmaster
