#include "master/supervisor/crash_store.h"

#include <doctest/doctest.h>
#include <filesystem>
#include <sys/stat.h>

#include "support.h"

namespace ringmaster::master {
namespace {

namespace fs = std::filesystem;

Crash crash_of(const std::string& name, size_t bytes) {
  return {"crash-" + name, {{"params.json", std::string(bytes, 'x')}}};
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

mode_t mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("crash folder: a crash is kept byte by byte, for its owner only") {
  const test::TemporaryFolder parent;
  const CrashStore folder({parent.at("crashes"), 10, 1000});
  const std::string bytes("\0\n\xff", 3);
  const Result<std::string> kept =
      folder.keep({"crash-1", {{"report.txt", "why\n"}, {"input-1", bytes}, {"input-2", ""}}});
  REQUIRE(kept);
  CHECK(*kept == parent.at("crashes/crash-1"));
  CHECK(names_in(*kept) == Names{"input-1", "input-2", "report.txt"});
  CHECK(text_of(*kept + "/report.txt") == "why\n");
  CHECK(text_of(*kept + "/input-1") == bytes);
  CHECK(text_of(*kept + "/input-2").empty());
  CHECK(mode_of(parent.at("crashes")) == 0700);
  CHECK(mode_of(*kept) == 0700);
  CHECK(mode_of(*kept + "/input-1") == 0600);
}

TEST_CASE("crash folder: the oldest make room, by count and by bytes") {
  const test::TemporaryFolder parent;
  const CrashStore folder({parent.at("crashes"), 3, 1000});
  for (const char* name : {"2", "1", "3"})
    REQUIRE(folder.keep(crash_of(name, 100)));
  REQUIRE(folder.keep(crash_of("4", 100)));
  CHECK(names_in(parent.at("crashes")) == Names{"crash-2", "crash-3", "crash-4"});
  REQUIRE(folder.keep(crash_of("5", 850)));
  CHECK(names_in(parent.at("crashes")) == Names{"crash-4", "crash-5"});
  REQUIRE(folder.keep(crash_of("6", 1000)));
  CHECK(names_in(parent.at("crashes")) == Names{"crash-6"});
  // With smaller limits than before:
  REQUIRE(CrashStore({parent.at("crashes"), 3, 10}).keep(crash_of("7", 10)));
  CHECK(names_in(parent.at("crashes")) == Names{"crash-7"});
}

TEST_CASE("crash folder: what is larger than all of it is not kept, and removes nothing") {
  const test::TemporaryFolder parent;
  const CrashStore folder({parent.at("crashes"), 3, 1000});
  REQUIRE(folder.keep(crash_of("1", 100)));
  const Result<std::string> kept = folder.keep(crash_of("2", 1001));
  REQUIRE(!kept);
  CHECK(kept.error().message == "it takes 1001 bytes, crashes.total_bytes is 1000");
  CHECK(names_in(parent.at("crashes")) == Names{"crash-1"});
}

TEST_CASE("crash folder: what was left half-written goes, what is not ours stays") {
  const test::TemporaryFolder parent;
  parent.write("crashes/.crash-0/params.json", std::string(5000, 'x'));
  parent.write("crashes/.crash-1/params.json", std::string(5000, 'x'));
  parent.write("crashes/.crash-9/a/b", "");  // a crash has no folders
  parent.write("crashes/crash-0/a/b", "");
  parent.write("crashes/notes", std::string(5000, 'x'));
  const CrashStore folder({parent.at("crashes"), 1, 1000});
  REQUIRE(folder.keep(crash_of("1", 100)));
  REQUIRE(folder.keep(crash_of("2", 100)));
  CHECK(names_in(parent.at("crashes")) == Names{".crash-9", "crash-0", "crash-2", "notes"});
}

TEST_CASE("crash folder: a link is not followed, whatever it stands for") {
  const test::TemporaryFolder parent;
  parent.write("elsewhere/notes", "kept");
  fs::create_symlink(parent.at("elsewhere"), parent.at("link"));
  for (const char* name : {"link", "link/"}) {
    const Result<std::string> kept =
        CrashStore({parent.at(name), 1, 1000}).keep(crash_of("1", 100));
    REQUIRE(!kept);
    CHECK(kept.error().message.find("open the folder " + parent.at("link")) == 0);
  }
  // Below the folder, where what is too much, or half-written, is removed:
  const CrashStore folder({parent.at("crashes"), 1, 1000});
  REQUIRE(folder.keep(crash_of("1", 100)));
  fs::create_symlink(parent.at("elsewhere"), parent.at("crashes/crash-0"));
  fs::create_symlink(parent.at("elsewhere"), parent.at("crashes/.crash-0"));
  fs::create_symlink(parent.at("elsewhere"), parent.at("crashes/crash-1/link"));
  REQUIRE(folder.keep(crash_of("2", 100)));
  CHECK(names_in(parent.at("crashes")) == Names{"crash-2"});
  CHECK(text_of(parent.at("elsewhere/notes")) == "kept");
}

TEST_CASE("crash folder: one that others may write to is refused") {
  const test::TemporaryFolder parent;
  const CrashStore folder({parent.at("crashes"), 10, 1000});
  REQUIRE(folder.keep(crash_of("1", 100)));
  for (const mode_t mode : {0770u, 0707u, 0720u, 0702u, 01777u}) {
    CAPTURE(mode);
    REQUIRE(::chmod(parent.at("crashes").c_str(), mode) == 0);
    const Result<std::string> kept = folder.keep(crash_of("2", 100));
    REQUIRE(!kept);
    CHECK(kept.error().message.ends_with("): chmod go-w " + parent.at("crashes")));
    CHECK(names_in(parent.at("crashes")) == Names{"crash-1"});
  }
  REQUIRE(::chmod(parent.at("crashes").c_str(), 0755) == 0);
  CHECK(folder.keep(crash_of("2", 100)));
}

TEST_CASE("crash folder: a failure says why, and leaves nothing half-written") {
  const test::TemporaryFolder parent;
  parent.write("file", "");
  const Result<std::string> no_folder =
      CrashStore({parent.at("file/x"), 1, 10}).keep(crash_of("1", 1));
  REQUIRE(!no_folder);
  CHECK(no_folder.error().message ==
        "make the folder " + parent.at("file/x") + ": Not a directory");
  CHECK(no_folder.error().exit_code == ExitCode::kResource);

  const CrashStore folder({parent.at("crashes"), 10, 1000});
  REQUIRE(folder.keep(crash_of("1", 1)));
  const Result<std::string> twice = folder.keep({"crash-2", {{"a", "1"}, {"a", "2"}}});
  REQUIRE(!twice);
  CHECK(twice.error().message.find("File exists") != std::string::npos);
  REQUIRE(!folder.keep(crash_of("1", 1)));  // that name is taken
  CHECK(names_in(parent.at("crashes")) == Names{"crash-1"});
}

}  // namespace ringmaster::master
