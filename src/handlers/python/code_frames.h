// The Python frames of a worker's stack, for the tail profile. A frame is named by the address of
// its code object.
//
// Processes: code_frames(): a worker, in a signal handler at any instruction of the interpreter.
//            code_name(): the fork server, where the code objects have the same addresses.
// Death:     a frame that the interpreter was just about to change can be wrong, or cannot be read:
//            the caller must survive a fault (CrashReports::try_call() of the server).
// Limits:    no names for code that a worker has made itself. A text that is not ASCII is "?".
//            Of CPython versions other than 3.11 no frames are read: the structures differ.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace ringmaster::python {

// For the ABI's members frames() and frame_name().
size_t code_frames(const void*& place, uintptr_t stack_pointer, std::span<uint64_t> frames);
// Empty: there is no code object at `frame`, which may be any number.
std::string code_name(uint64_t frame);

}  // namespace ringmaster::python
