// OutputLines: cuts what a process prints into lines for the log.
//
// Pure bookkeeping; the master only.
// Limits: the first kLineBytesMax bytes of a line; the rest is counted. So a process that never
//         ends its line costs no more memory than that. Empty lines are left out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ringmaster::master {

class OutputLines {
 public:
  static constexpr size_t kLineBytesMax = 900;  // less than a field of the log may have

  // Calls emit(text, cut_bytes) for each line that has ended; `cut_bytes`: how much longer it was.
  template <class Emit>
  void add(std::string_view bytes, Emit emit) {
    while (!bytes.empty()) {
      const size_t end = bytes.find('\n');
      take(bytes.substr(0, end));
      if (end == std::string_view::npos) return;
      flush(emit);
      bytes.remove_prefix(end + 1);
    }
  }

  // Ends a line that has begun.
  template <class Emit>
  void flush(Emit emit) {
    if (text_.ends_with('\r')) text_.pop_back();
    if (!text_.empty()) emit(std::string_view(text_), cut_bytes_);
    text_.clear();
    cut_bytes_ = 0;
  }

  bool has_begun() const { return !text_.empty(); }

 private:
  void take(std::string_view part) {
    const std::string_view kept = part.substr(0, kLineBytesMax - text_.size());
    text_ += kept;
    cut_bytes_ += part.size() - kept.size();
  }

  std::string text_;
  uint64_t cut_bytes_ = 0;
};

}  // namespace ringmaster::master
