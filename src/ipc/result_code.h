// The codes of result records that a worker sets itself. Any other code is the handler's, and 0 is
// a result.
#pragma once

#include <cstdint>

namespace ringmaster::ipc {

enum ResultCode : int32_t {
  kResultOk = 0,
  kResultTooLate = -32012,   // the job's deadline had passed before it ran
  kResultTooLarge = -32008,  // longer than Geometry::result_bytes
  kResultInvalid = -32603,   // the handler gave no answer, or one that is not JSON
};

}  // namespace ringmaster::ipc
