// large_model: holds a file in its memory, as a handler with a large model does. Options: model, a
// path. A job ignores its params, reads one byte of each page and returns the sum of these bytes.
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <ringmaster/handler.hpp>

namespace {

constexpr size_t kPageBytes = 4096;

struct LargeModel {
  explicit LargeModel(ringmaster::Options& options) {
    const std::string path = options.text("model");
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file) throw std::runtime_error("cannot read " + path);
    bytes.resize(static_cast<size_t>(file.tellg()));
    file.seekg(0);
    if (!file.read(bytes.data(), static_cast<std::streamsize>(bytes.size())))
      throw std::runtime_error("cannot read all of " + path);
  }
  std::string run(const ringmaster::Job&) {
    uint64_t sum = 0;
    for (size_t at = 0; at < bytes.size(); at += kPageBytes)
      sum += static_cast<unsigned char>(bytes[at]);
    return std::to_string(sum);
  }
  std::vector<char> bytes;
};

}  // namespace
RINGMASTER_HANDLER(LargeModel)
