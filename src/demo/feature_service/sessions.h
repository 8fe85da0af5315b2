// Sessions: the page sequences of a file in the format of the MSNBC data, plain or gzipped.
//
// Format: a header whose third line names the 17 categories and whose last line begins with "%
//         Sequences"; then one sequence a line, as numbers from 1 to 17. Empty lines are skipped; a
//         line ends with LF or CRLF.
// Memory: one byte a page and four a sequence: 7 MB for the 800,000 sequences of the real file.
// Limits: 2^32 - 1 pages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"

namespace ringmaster::feature_service {

class Sessions {
 public:
  // Reads the whole file. Fails (78) if it cannot be read or has another format, with the line
  // number.
  static Result<Sessions> load(const std::string& path);

  size_t count() const { return ends_.size() - 1; }

  // The pages of a sequence, from 0; never empty. REQUIRES: index < count().
  std::span<const uint8_t> at(size_t index) const {
    return {pages_.data() + ends_[index], pages_.data() + ends_[index + 1]};
  }

 private:
  friend class SessionsReader;

  std::vector<uint8_t> pages_;
  std::vector<uint32_t> ends_ = {0};  // where each sequence ends in pages_
};

}  // namespace ringmaster::feature_service
