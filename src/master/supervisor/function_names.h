// FunctionNames: the names of functions at addresses of the workers. The fork server knows them.
//
// The fork server reads a handler's symbols when it is first asked, which may take hundreds of
// milliseconds, and forks no worker meanwhile. So the master asks for names only when a profile is
// requested, and only for a few at a time.
// Pure bookkeeping; the master only. One for each generation: addresses are a generation's own.
// Trust:  handlers run in the fork server while they load, so a name may be any text.
// Limits: kNamesMax names; then the master forgets all, and asks again for those that it needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ringmaster::master {

class FunctionNames {
 public:
  // A name has some 460 bytes at most, and the answer must fit into a control message.
  static constexpr size_t kAskedMax = 100;
  static constexpr size_t kNamesMax = 10'000;

  // Returns the addresses to ask for now; empty: each has a name. REQUIRES: !is_asking().
  std::vector<uint64_t> ask(const std::vector<uint64_t>& functions);
  // The answer to the last question has not come yet.
  bool is_asking() const { return !asked_.empty(); }
  // `names`: in the order of the question, each ended by a NUL. False: their number is wrong.
  [[nodiscard]] bool on_answer(std::string_view names);

  // The function's name, or its address if the name is not known.
  std::string name(uint64_t function) const;

 private:
  std::vector<uint64_t> asked_;
  std::unordered_map<uint64_t, std::string> names_;
};

}  // namespace ringmaster::master
