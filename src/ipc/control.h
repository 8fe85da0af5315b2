// Control: the messages between master and fork server, over a SOCK_SEQPACKET pair.
//
//   master -> fork server   kGeometry, kConfinement, kHandler and kMethod (one each), kLoad,
//                       then kFork, kKill, kPing, kName and kAskStack at any time
//   fork server -> master   kDescription (of each handler, in their order) and kLoaded, or kFailed;
//                       then kForked / kForkFailed and kExited for each worker, kPong for
//                       each kPing, kNamed for each kName, at most one kStack for each
//                       kAskStack, and kSpareExited for each spare worker that ends without an
//                       order
//
// The master never waits for the fork server: an order that does not fit into the socket waits in
// master/supervisor/orders.h, at most one for each worker slot. The fork server does wait for the
// master when its own socket is full, and obeys no order meanwhile. This is no deadlock: the master
// reads in each turn of its loop, even while orders wait.
//
// One packet is one whole message, and none is lost while both ends live. The end of the stream
// means that the other process is gone: the fork server then exits, the master starts another.
// Processes: master and fork server. A forked worker closes its copy of the socket. A spare worker
//            gets its kFork from the fork server, over a socket pair of these two.
// Death:     if the fork server dies, all workers die with it (PR_SET_PDEATHSIG), reported or not.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <sys/types.h>

#include "base/fd.h"
#include "base/status.h"
#include "ipc/confinement.h"
#include "ipc/handler_spec.h"
#include "ipc/layout.h"
#include "ipc/method_spec.h"

namespace ringmaster::ipc {

enum class ControlType : uint32_t {
  kGeometry,
  kConfinement,
  kHandler,
  kMethod,
  kLoad,
  kFork,
  kKill,  // the worker of this slot, if it still has this pid: never the slot's next one
  kPing,  // the fork server answers kPong once it reads orders
  kDescription,
  kLoaded,
  kFailed,
  kForked,
  kForkFailed,
  kExited,
  kPong,
  kName,  // the fork server answers kNamed
  kNamed,
  kAskStack,  // asks this slot's worker for its stack, if it still has this pid; its job goes on
  kStack,     // the text is empty if the worker has not answered within a second
  kSpareExited,
};
inline constexpr ControlType kControlTypeMax = ControlType::kSpareExited;

// The longest text that a message can have.
inline constexpr size_t kControlTextBytesMax = (64 << 10) - 16;

struct ControlMessage {
  ControlType type = ControlType::kLoad;
  uint32_t worker = 0;  // slot, for the messages about one worker
  int32_t pid = 0;      // kKill, kForked, kExited, kAskStack, kStack, kSpareExited
  int32_t status = 0;   // kLoad, kFork: 1: at idle priority, see low_priority.h and worker.h;
                        // kKill: the signal; kExited, kSpareExited: as waitpid(2) gives it;
                        // kForkFailed: errno; kFailed: ExitCode
  // kGeometry, kConfinement, kHandler, kMethod: the value, encoded.
  // kLoaded: the sandbox's steps that this system refuses, for people.
  // kDescription: a handler's description; empty: the handler has none.
  // kFailed: the error.
  // kExited: a crashed worker's report, as lines: the reason, then the frames of its stack.
  // kStack: the frames of a living worker's stack, as lines.
  // kName: addresses of functions, 8 bytes each.
  // kNamed: the names of these functions in the same order, each ended by a NUL.
  std::string text;
  // Received only. kFork: the memory of the worker's result ring, and the socket that is its stdout
  // and stderr; each is not open if the receiver had no free descriptor for it.
  Fd memory = {};
  Fd output = {};
};

// The fork server's descriptors by number: inherited ones, and the signalfd that it opens. Workers
// keep 0 to 2 and kEventFd, canaries 0 to 2.
inline constexpr int kControlFd = 3;
inline constexpr int kControlMemoryFd = 4;
inline constexpr int kPayloadMemoryFd = 5;
inline constexpr int kEventFd = 6;
inline constexpr int kChildExitsFd = 7;

class ControlChannel {
 public:
  explicit ControlChannel(Fd socket) : socket_(std::move(socket)) {}

  // Both ends, close-on-exec and blocking.
  [[nodiscard]] static Result<std::pair<Fd, Fd>> create_pair();

  int fd() const { return socket_.get(); }

  // Waits while the socket is full. Fails when the other end is gone, or `message` is too long.
  // `fds`: descriptors to send along: first the memory, then the output. Empty: none. The sender's
  // own descriptors stay open.
  [[nodiscard]] Status send(const ControlMessage& message, std::span<const int> fds = {});
  // Never waits. False: the socket is full, nothing was sent.
  [[nodiscard]] Result<bool> try_send(const ControlMessage& message, std::span<const int> fds = {});
  enum class Received { kMessage, kNothingYet, kEnd };
  // Fails on a packet that is not a message.
  [[nodiscard]] Result<Received> receive(ControlMessage& message);

 private:
  Result<bool> send_packet(const ControlMessage& message, std::span<const int> fds, int flags);

  Fd socket_;
};

// Fails when `message` is longer than a packet may be.
[[nodiscard]] Status check_size(const ControlMessage& message);

std::string encode(const Geometry& geometry);
std::string encode(const Confinement& confinement);
std::string encode(const HandlerSpec& spec);
std::string encode(const MethodSpec& spec);
[[nodiscard]] Result<Geometry> decode_geometry(const std::string& text);
[[nodiscard]] Result<Confinement> decode_confinement(const std::string& text);
[[nodiscard]] Result<HandlerSpec> decode_handler(const std::string& text);
[[nodiscard]] Result<MethodSpec> decode_method(const std::string& text);

}  // namespace ringmaster::ipc
