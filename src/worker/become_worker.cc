#include "worker/become_worker.h"

#include <bsd/unistd.h>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <unistd.h>
#include <utility>

#include "base/fd.h"
#include "ipc/worker_port.h"
#include "worker/confine.h"
#include "worker/sandbox.h"
#include "worker/worker.h"

namespace ringmaster::worker {
namespace {

using Shared = ipc::WorkerPort::Shared;

std::string name_of(const ipc::ControlMessage& order) {
  return fmt::format("worker {}", order.worker);
}

[[noreturn]] void leave(const std::string& name, const Status& served) {
  if (!served) ::dprintf(STDERR_FILENO, "%s: %s\n", name.c_str(), served.error().message.c_str());
  const int code = served ? 0 : static_cast<int>(served.error().exit_code);
#if defined(__SANITIZE_ADDRESS__)
  std::exit(code);  // exit() checks for leaks
#endif
  ::_exit(code);
}

void write_running_stack(int fd) {
  if (const Handler* const handler = Handler::running()) handler->write_stack(fd);
}

Status take_output(Fd& output) {
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    if (::dup2(output.get(), fd) < 0) return fail_errno("dup2 of the output", errno);
  }
  output.reset();
  return {};
}

// Maps the memories that all workers share, and closes their descriptors.
Result<Shared> map_memories(const ipc::Geometry& geometry) {
  Result<Shared> shared =
      ipc::WorkerPort::map(geometry, ipc::kControlMemoryFd, ipc::kPayloadMemoryFd);
  for (const int fd : {ipc::kControlMemoryFd, ipc::kPayloadMemoryFd})
    ::close(fd);
  return shared;
}

// Closes the descriptors that a worker must not have, maps the memories, and confines the process.
Result<Shared> confine_itself(const Loaded& loaded, pid_t fork_server) {
  ::close(ipc::kControlFd);
  ::close(ipc::kChildExitsFd);
  Result<Shared> shared = map_memories(loaded.geometry);
  if (!shared) return shared;
  volunteer_for_oom();
  // The fork server has reported the refused steps already.
  const Result<std::string> confined = confine(loaded.confinement, fork_server);
  if (!confined) return tl::unexpected(confined.error());
  return shared;
}

Status serve(Loaded& loaded, ipc::ControlMessage& order, Shared shared) {
  if (Status reporting = loaded.reports.report_to(order.worker, write_running_stack); !reporting)
    return reporting;
  return serve_jobs({order.worker, loaded.generation, loaded.geometry, false, order.status == 1},
                    std::move(shared), std::move(order.memory), loaded.handlers, loaded.methods);
}

Status take_place(Loaded& loaded, ipc::ControlMessage& order, pid_t fork_server) {
  // First, so that an error is this worker's output.
  if (Status taken = take_output(order.output); !taken) return taken;
  Result<Shared> shared = confine_itself(loaded, fork_server);
  if (!shared) return tl::unexpected(shared.error());
  return serve(loaded, order, std::move(*shared));
}

}  // namespace

void become_worker(Loaded& loaded, ipc::ControlMessage& order, pid_t fork_server) {
  leave(name_of(order), take_place(loaded, order, fork_server));
}

void stand_by(Loaded& loaded, ipc::ControlChannel orders, pid_t fork_server) {
  Result<Shared> shared = confine_itself(loaded, fork_server);
  if (!shared) leave("spare worker", tl::unexpected(shared.error()));
  ::setproctitle("-ringmaster: spare worker gen=%s", loaded.generation.c_str());
  ipc::ControlMessage order;
  const Result<ipc::ControlChannel::Received> received = orders.receive(order);
  if (!received) leave("spare worker", tl::unexpected(received.error()));
  if (*received == ipc::ControlChannel::Received::kEnd) leave("spare worker", {});
  orders = ipc::ControlChannel(Fd());
  Status served = take_output(order.output);
  if (served) served = serve(loaded, order, std::move(*shared));
  leave(name_of(order), served);
}

Status serve_inline(Loaded& loaded, ipc::ControlMessage& order) {
  Result<Shared> shared = map_memories(loaded.geometry);
  if (!shared) return tl::unexpected(shared.error());
  return serve_jobs({order.worker, loaded.generation, loaded.geometry, true, false},
                    std::move(*shared), std::move(order.memory), loaded.handlers, loaded.methods);
}

}  // namespace ringmaster::worker
