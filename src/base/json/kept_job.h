// KeptJob: a job in a file, with all that its step needs to run again: see crash_store.h.
//
// The file is one JSON object, which people may also read:
//
//   "method"                    the method's name
//   "steps"                     the upstream or handler of each of the method's steps, by name
//   "step"                      the number of the step that the job was at, counted from 1
//   "id", "traceparent"         as the client sent them; missing where it sent none
//   "params"                    as the client sent them, byte for byte; missing where it sent none
//   "output_1" ...              the output of each step before "step", byte for byte
//   "output_1_bytes" ...        in place of "output_1", if the output is no JSON or is nested too
//                               deeply: a string in which each character is one byte (Latin-1)
//
// Any other member is a note: only people read it.
// Trust: an output comes from an upstream or a worker, and must not forge another member. So it
//        stands in the file as it is only if it is one whole JSON value.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace ringmaster::json {

struct KeptJob {
  std::string method;
  std::vector<std::string> steps;
  size_t step = 0;                   // index
  std::string params;                // a JSON object or array; empty: none
  std::vector<std::string> outputs;  // of the steps before `step`
  std::string id;                    // as JSON; empty: none
  std::string traceparent;           // empty: none
};

// A name, and a value as JSON.
using KeptNote = std::pair<std::string_view, std::string>;

// The file's text; notes stand first. REQUIRES: params and id are JSON, or empty.
std::string encode(const KeptJob& job, std::span<const KeptNote> notes);

// Fails with 64 if one of the members above is missing or wrong; the error says what was expected.
// Outputs of steps from `step` on are ignored.
[[nodiscard]] Result<KeptJob> decode_kept_job(std::string_view text);

}  // namespace ringmaster::json
