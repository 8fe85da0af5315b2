// Shared by the tests of the ports: the memory of one generation with its MasterPort, and children
// as workers.
#pragma once

#include <cstring>
#include <fcntl.h>
#include <map>
#include <poll.h>
#include <string>
#include <utility>
#include <vector>

#include "ipc/control.h"
#include "ipc/master_port.h"
#include "ipc/payload_store.h"
#include "ipc/worker_port.h"
#include "support.h"

namespace ringmaster::ipc {

inline constexpr uint64_t kForeverNs = test::kDeadlineS * kNsPerS;

struct Answer {
  uint32_t worker;
  Publication id;
  int32_t code;
  std::string text;
  bool operator==(const Answer&) const = default;
};

// The workers' words in shared memory, for tests that simulate a worker or inspect one.
struct Words {
  Words(int control_memory_fd, const Geometry& geometry)
      : control(Region::map(control_memory_fd, Access::kReadWrite, 0, geometry.control_bytes())
                    .value()),
        workers(reinterpret_cast<WorkerWords*>(control.data() + sizeof(ControlHead)),
                geometry.worker_slots),
        entries(reinterpret_cast<AtomicWord*>(control.data() + geometry.entries_offset()),
                geometry.ring_entries),
        ring(entries, reinterpret_cast<ControlHead*>(control.data())->cursor) {}

  Region control;
  std::span<WorkerWords> workers;
  std::span<AtomicWord> entries;
  Ring ring;
};

// In a child: sets up the descriptors of ipc/control.h, except the control channel and the
// signalfd.
inline void inherit(const MasterPort& port, const PayloadStore& store) {
  const std::pair<int, int> inherited[] = {{port.control_memory_fd(), kControlMemoryFd},
                                           {store.memory_fd(), kPayloadMemoryFd},
                                           {port.event_fd(), kEventFd}};
  int moved[std::size(inherited)];
  for (size_t i = 0; i < std::size(inherited); ++i)
    moved[i] = ::fcntl(inherited[i].first, F_DUPFD, 64);  // above the numbers of ipc/control.h
  for (size_t i = 0; i < std::size(inherited); ++i)
    ::dup2(moved[i], inherited[i].second);
}

class Floor {
 public:
  explicit Floor(uint32_t worker_slots = 2)
      : geometry(geometry_of(worker_slots)),
        store(std::move(PayloadStore::create(geometry).value())),
        port(std::move(MasterPort::create(geometry).value())),
        result_region(result_region_bytes(geometry.result_bytes)) {
    result_memories.resize(worker_slots);
    for (uint32_t slot = 0; slot < worker_slots; ++slot)
      renew(slot);
    // A worker takes no job without a view: some tests publish jobs that have no params.
    for (uint32_t job = 0; job < geometry.job_slots; ++job)
      store.header(job).view_count = 1;
  }

  // Makes new memory for results, for another worker in this slot.
  void renew(uint32_t slot) { result_memories[slot] = std::move(port.renew_results(slot).value()); }

  // Publishes a job with these params.
  void publish(Publication id, std::string_view params) {
    const std::optional<Block> block = store.store(params);
    REQUIRE(block);
    JobHeader& header = store.header(id.job);
    header.deadline_ns = id.sequence;
    header.view_count = 1;
    header.handler = 0;
    header.method = 0;
    header.batch = kBatchMax;
    header.views[0] = store.view(*block, params.size());
    REQUIRE(port.try_publish(id));
    port.wake(1);
    const Block unused = std::exchange(blocks_[id.job], *block);  // of the slot's former job
    if (unused.size > 0) store.free(unused);
  }

  std::vector<Answer> drain() {
    std::vector<Answer> answers;
    uint32_t damaged = 0;
    REQUIRE(port.drain(
        [&](uint32_t worker, const ResultReader::Record& record) {
          answers.push_back({worker, record.id, record.code, std::string(record.bytes)});
          return true;
        },
        ~uint64_t{0}, damaged));
    return answers;
  }
  // The worker that has claimed this publication or is running it.
  std::optional<uint32_t> worker_of(Publication id) const {
    std::optional<uint32_t> found;
    port.see_held([&](uint32_t worker, Publication held) {
      if (held == id) found = worker;
    });
    return found;
  }
  // Sleeps as the master does until `count` answers have come; returns fewer after the deadline.
  std::vector<Answer> wait_for(size_t count) {
    std::vector<Answer> answers = drain();
    pollfd polled{port.event_fd(), POLLIN, 0};
    while (answers.size() < count) {
      port.announce_sleep(MasterBell::Sleep::kSleeping);
      const bool is_late = !port.was_any_result() && ::poll(&polled, 1, kForeverNs / kNsPerMs) == 0;
      port.cancel_sleep();
      port.take_rings();
      for (Answer& answer : drain())
        answers.push_back(std::move(answer));
      if (is_late) break;
    }
    return answers;
  }

  // A child with the descriptors of ipc/control.h, which runs `body` with a worker's port.
  template <class Body>
  test::Child fork_worker(uint32_t slot, const Body& body) const {
    return test::Child([&] {
      // Above the numbers that inherit() uses.
      const int results = ::fcntl(result_memories[slot].get(), F_DUPFD, 64);
      inherit(port, store);
      auto shared = WorkerPort::map(geometry, kControlMemoryFd, kPayloadMemoryFd);
      if (!shared) return 100;
      Result<WorkerPort> opened = WorkerPort::open(geometry, slot, std::move(*shared), results);
      return opened ? body(*opened) : 100;
    });
  }

  Words words() const { return {port.control_memory_fd(), geometry}; }
  Region results_of(uint32_t slot) const {
    return Region::map(result_memories[slot].get(), Access::kReadWrite, 0, result_region).value();
  }

  Geometry geometry;
  PayloadStore store;
  MasterPort port;
  size_t result_region;
  std::vector<Fd> result_memories;  // by worker slot

 private:
  std::map<uint32_t, Block> blocks_;  // by job slot

  static Geometry geometry_of(uint32_t worker_slots) {
    Geometry geometry;
    geometry.worker_slots = worker_slots;
    geometry.ring_entries = 4;
    geometry.job_slots = 16;
    geometry.payload_bytes = 64 << 10;
    geometry.result_bytes = 4096;
    return geometry;
  }
};

// Waits for a job, takes up to `count` jobs, and answers them with their params. 0: success.
inline int echo(WorkerPort& port, size_t count) {
  std::optional<WorkerPort::Job> jobs[kBatchMax];
  while (!(jobs[0] = port.try_next().value()))
    port.wait(kForeverNs);
  for (size_t i = 1; i < count; ++i)
    jobs[i] = port.try_next_like(*jobs[0]);
  for (size_t i = 0; i < count && jobs[i]; ++i) {
    const std::string_view params = port.bytes(jobs[i]->header->views[0]);
    char* room = port.reserve(params.size());
    if (room == nullptr || jobs[i]->header->deadline_ns != jobs[i]->id.sequence) return 101;
    std::memcpy(room, params.data(), params.size());
    port.commit(jobs[i]->id, 0, params.size(), 0);
  }
  port.finish();
  return 0;
}
inline int echo_one(WorkerPort& port) {
  return echo(port, 1);
}

// Answers jobs with empty results, without waiting, until it is killed.
inline int answer_all(WorkerPort& port) {
  for (;;) {
    const std::optional<WorkerPort::Job> job = port.try_next().value();
    if (!job) continue;
    if (port.reserve(0) == nullptr) return 1;
    port.commit(job->id, 0, 0, 0);
    port.finish();
  }
}

}  // namespace ringmaster::ipc
