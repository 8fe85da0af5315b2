// What a worker itself may say of a job, in the code of its result record. Any other code is the
// handler's own, and 0 is a result.
#pragma once

#include <cstdint>

namespace ringmaster::ipc {

enum ResultCode : int32_t {
  kResultOk = 0,
  kResultTooLate = -32012,   // its deadline had passed before it was run
  kResultTooLarge = -32008,  // longer than Geometry::result_bytes
  kResultInvalid = -32603,   // the handler gave no answer, or one that is not JSON
};

}  // namespace ringmaster::ipc
