// TemporaryFolder: a folder of a test or a fuzzer; the destructor removes it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/assert.h"

namespace ringmaster::test {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    char name[] = "/tmp/ringmaster-test-XXXXXX";
    RM_ASSERT(::mkdtemp(name) != nullptr);
    path_ = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string at(const std::string& name) const { return path_ / name; }
  // Writes a file, and creates its folders. Returns the file's path.
  std::string write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << text;
    return at(name);
  }

 private:
  std::filesystem::path path_;
};

}  // namespace ringmaster::test
