#include "handlers/python/code_frames.h"

#include <algorithm>
#include <string_view>
#include <sys/uio.h>
#include <unistd.h>

#include "handlers/python/ref.h"

#if PY_VERSION_HEX >> 16 == 0x030b
#include <internal/pycore_frame.h>
#endif

namespace ringmaster::python {
namespace {

constexpr size_t kNameBytesMax = 100;

// Copies memory of this process; false: not all of it is mapped. The kernel checks the address.
bool read_memory(uint64_t address, void* to, size_t size) {
  const iovec local{to, size};
  const iovec remote{reinterpret_cast<void*>(address), size};
  return ::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0) == static_cast<ssize_t>(size);
}

// The end of the str, at most kNameBytesMax long. "?": it is no str, or not ASCII.
std::string end_of_text(const PyObject* object) {
  const auto address = reinterpret_cast<uint64_t>(object);
  PyASCIIObject head;
  if (!read_memory(address, &head, sizeof head) || head.ob_base.ob_type != &PyUnicode_Type ||
      head.state.ascii == 0 || head.state.compact == 0 || head.length < 0) {
    return "?";
  }
  const auto length = static_cast<size_t>(head.length);
  std::string text(std::min(length, kNameBytesMax), '\0');
  const uint64_t end = address + sizeof head + length;
  return read_memory(end - text.size(), text.data(), text.size()) ? text : "?";
}

}  // namespace

#if PY_VERSION_HEX >> 16 == 0x030b

// Each call of the interpreter's loop has a _PyCFrame in its own native frame, which has the bytes
// of the stack between its stack pointer and that of its caller.
size_t code_frames(const void*& place, uintptr_t stack_pointer, std::span<uint64_t> frames) {
  PyThreadState* const thread = PyGILState_GetThisThreadState();
  if (thread == nullptr) return 0;  // it has run no Python
  const auto* const loop = place != nullptr ? static_cast<const _PyCFrame*>(place) : thread->cframe;
  if (loop == &thread->root_cframe || reinterpret_cast<uintptr_t>(loop) >= stack_pointer) return 0;
  size_t count = 0;
  for (const _PyInterpreterFrame* frame = loop->current_frame;
       frame != nullptr && count < frames.size(); frame = frame->previous) {
    frames[count++] = reinterpret_cast<uint64_t>(frame->f_code);
    if (frame->is_entry) break;
  }
  place = loop->previous;
  return count;
}

std::string code_name(uint64_t frame) {
  PyCodeObject code;  // without its instructions, which follow
  if (!read_memory(frame, &code, offsetof(PyCodeObject, co_code_adaptive)) ||
      code.ob_base.ob_base.ob_type != &PyCode_Type) {
    return "";
  }
  const std::string file = end_of_text(code.co_filename);
  return end_of_text(code.co_qualname) + " (" + file.substr(file.rfind('/') + 1) + ":" +
         std::to_string(code.co_firstlineno) + ")";
}

#else

size_t code_frames(const void*&, uintptr_t, std::span<uint64_t>) {
  return 0;
}

std::string code_name(uint64_t) {
  return "";
}

#endif

}  // namespace ringmaster::python
