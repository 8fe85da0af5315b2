#include "master/supervisor/crash_store.h"

#include <doctest/doctest.h>
#include <filesystem>
#include <sys/stat.h>

#include "support.h"

namespace ringmaster::master {
namespace {

namespace fs = std::filesystem;

Result<std::string> keep(const CrashStore& store, const std::string& name, size_t bytes) {
  return store.keep(name, std::string(bytes, 'x'));
}

CrashStore store_in(const std::string& folder, uint64_t count, uint64_t total_bytes) {
  return {"crash", {folder, count, total_bytes}};
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

TEST_CASE("crash store: a job is kept byte by byte, for its owner only") {
  const test::TemporaryFolder parent;
  const std::string bytes("\0\n\xff", 3);
  const Result<std::string> kept =
      store_in(parent.at("crashes"), 10, 1000).keep("crash-1.json", bytes);
  REQUIRE(kept);
  CHECK(*kept == parent.at("crashes/crash-1.json"));
  CHECK(names_in(parent.at("crashes")) == Names{"crash-1.json"});
  CHECK(text_of(*kept) == bytes);
  CHECK(mode_of(parent.at("crashes")) == 0700);
  CHECK(mode_of(*kept) == 0600);
}

TEST_CASE("crash store: the oldest make room, by count and by bytes") {
  const test::TemporaryFolder parent;
  const CrashStore store = store_in(parent.at("crashes"), 3, 1000);
  for (const char* name : {"crash-2", "crash-1", "crash-3"})
    REQUIRE(keep(store, name, 100));
  REQUIRE(keep(store, "crash-4", 100));
  CHECK(names_in(parent.at("crashes")) == Names{"crash-2", "crash-3", "crash-4"});
  REQUIRE(keep(store, "crash-5", 850));
  CHECK(names_in(parent.at("crashes")) == Names{"crash-4", "crash-5"});
  REQUIRE(keep(store, "crash-6", 1000));
  CHECK(names_in(parent.at("crashes")) == Names{"crash-6"});
  // With smaller limits than before:
  REQUIRE(keep(store_in(parent.at("crashes"), 3, 10), "crash-7", 10));
  CHECK(names_in(parent.at("crashes")) == Names{"crash-7"});
}

TEST_CASE("crash store: neither kind makes room for the other") {
  const test::TemporaryFolder parent;
  const CrashStore crashed = store_in(parent.at("crashes"), 1, 100);
  const CrashStore slow("slow", {parent.at("crashes"), 1, 100});
  REQUIRE(keep(crashed, "crash-1", 100));
  for (const char* name : {"slow-1", "slow-2"})
    REQUIRE(keep(slow, name, 100));
  CHECK(names_in(parent.at("crashes")) == Names{"crash-1", "slow-2"});
  REQUIRE(keep(crashed, "crash-2", 100));
  CHECK(names_in(parent.at("crashes")) == Names{"crash-2", "slow-2"});
}

TEST_CASE("crash store: a job larger than the whole store is not kept, and removes nothing") {
  const test::TemporaryFolder parent;
  const CrashStore store = store_in(parent.at("crashes"), 3, 1000);
  REQUIRE(keep(store, "crash-1", 100));
  const Result<std::string> kept = keep(store, "crash-2", 1001);
  REQUIRE(!kept);
  CHECK(kept.error().message == "it takes 1001 bytes, crashes.total_bytes is 1000");
  CHECK(names_in(parent.at("crashes")) == Names{"crash-1"});
}

TEST_CASE("crash store: half-written files go, files and folders of others stay") {
  const test::TemporaryFolder parent;
  parent.write("crashes/.crash-0", std::string(5000, 'x'));
  parent.write("crashes/.crash-2", std::string(5000, 'x'));
  parent.write("crashes/.slow-0", "another server thread's");
  parent.write("crashes/crash-0/a", "");
  parent.write("crashes/notes", std::string(5000, 'x'));
  const CrashStore store = store_in(parent.at("crashes"), 1, 1000);
  REQUIRE(keep(store, "crash-1", 100));
  REQUIRE(keep(store, "crash-2", 100));
  CHECK(names_in(parent.at("crashes")) == Names{".slow-0", "crash-0", "crash-2", "notes"});
}

TEST_CASE("crash store: a link is not followed, whatever it stands for") {
  const test::TemporaryFolder parent;
  parent.write("elsewhere/notes", "kept");
  fs::create_symlink(parent.at("elsewhere"), parent.at("link"));
  for (const char* name : {"link", "link/"}) {
    const Result<std::string> kept = keep(store_in(parent.at(name), 1, 1000), "crash-1", 100);
    REQUIRE(!kept);
    CHECK(kept.error().message.find("open the folder " + parent.at("link")) == 0);
  }
  // Links in the folder, with the names of an old job, half-written files, and the next file:
  const CrashStore store = store_in(parent.at("crashes"), 1, 1000);
  REQUIRE(keep(store, "crash-1", 100));
  for (const char* link : {"crash-0", ".crash-0", ".crash-2", "crash-2"})
    fs::create_symlink(parent.at("elsewhere/notes"), parent.at("crashes/" + std::string(link)));
  REQUIRE(keep(store, "crash-2", 100));
  CHECK(names_in(parent.at("crashes")) == Names{"crash-2"});
  CHECK(!fs::is_symlink(parent.at("crashes/crash-2")));
  CHECK(text_of(parent.at("elsewhere/notes")) == "kept");
}

TEST_CASE("crash store: a folder that others may write to is refused") {
  const test::TemporaryFolder parent;
  const CrashStore store = store_in(parent.at("crashes"), 10, 1000);
  REQUIRE(keep(store, "crash-1", 100));
  for (const mode_t mode : {0770u, 0707u, 0720u, 0702u, 01777u}) {
    CAPTURE(mode);
    REQUIRE(::chmod(parent.at("crashes").c_str(), mode) == 0);
    const Result<std::string> kept = keep(store, "crash-2", 100);
    REQUIRE(!kept);
    CHECK(kept.error().message.ends_with("): chmod go-w " + parent.at("crashes")));
    CHECK(names_in(parent.at("crashes")) == Names{"crash-1"});
  }
  REQUIRE(::chmod(parent.at("crashes").c_str(), 0755) == 0);
  CHECK(keep(store, "crash-2", 100));
}

TEST_CASE("crash store: a failure says why, and leaves nothing half-written") {
  const test::TemporaryFolder parent;
  parent.write("file", "");
  const Result<std::string> no_folder = keep(store_in(parent.at("file/x"), 1, 10), "crash-1", 1);
  REQUIRE(!no_folder);
  CHECK(no_folder.error().message ==
        "make the folder " + parent.at("file/x") + ": Not a directory");
  CHECK(no_folder.error().exit_code == ExitCode::kResource);

  parent.write("crashes/crash-1/a", "");  // a folder has the file's name
  const Result<std::string> taken = keep(store_in(parent.at("crashes"), 10, 1000), "crash-1", 1);
  REQUIRE(!taken);
  CHECK(taken.error().message == "rename to crash-1: Is a directory");
  CHECK(names_in(parent.at("crashes")) == Names{"crash-1"});
}

}  // namespace ringmaster::master
