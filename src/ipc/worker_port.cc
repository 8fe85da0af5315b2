#include "ipc/worker_port.h"

#include <algorithm>
#include <fmt/format.h>
#include <unistd.h>
#include <utility>

#include "base/assert.h"
#include "ipc/control.h"

namespace ringmaster::ipc {
namespace {

// The loads are relaxed: the master may be writing `b`, which is reliable only after a claim.
bool are_alike(const JobHeader& a, const JobHeader& b) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  return a.handler.load(kRelaxed) == b.handler.load(kRelaxed) && a.batch.load(kRelaxed) > 1 &&
         b.batch.load(kRelaxed) > 1;
}

}  // namespace

Result<WorkerPort::Shared> WorkerPort::map(const Geometry& geometry, int control_fd,
                                           int payload_fd) {
  Result<Region> control = Region::map(control_fd, Access::kReadWrite, 0, geometry.control_bytes());
  if (!control) return tl::unexpected(control.error());
  Result<Region> payload =
      Region::map(payload_fd, Access::kReadOnly, 0, geometry.payload_region_bytes());
  if (!payload) return tl::unexpected(payload.error());
  return Shared{std::move(*control), std::move(*payload)};
}

Result<WorkerPort> WorkerPort::open(const Geometry& geometry, uint32_t worker, Shared shared,
                                    int results_fd) {
  const size_t bytes = worker_memory_bytes(geometry.result_bytes);
  Result<Region> results = Region::map(results_fd, Access::kReadWrite, 0, bytes);
  if (!results) return tl::unexpected(results.error());
  return WorkerPort(std::move(shared.control), std::move(shared.payload), std::move(*results),
                    geometry, worker);
}

WorkerPort::WorkerPort(Region control, Region payload, Region results, const Geometry& geometry,
                       uint32_t worker)
    : control_(std::move(control)),
      payload_(std::move(payload)),
      results_(std::move(results)),
      job_slots_(geometry.job_slots),
      result_bytes_(geometry.result_bytes),
      worker_(worker),
      head_(reinterpret_cast<ControlHead*>(control_.data())),
      workers_(reinterpret_cast<WorkerWords*>(control_.data() + sizeof(ControlHead)),
               geometry.worker_slots),
      words_(reinterpret_cast<WorkerWords*>(control_.data() + sizeof(ControlHead)) + worker),
      headers_(reinterpret_cast<const JobHeader*>(payload_.data())),
      ring_({reinterpret_cast<AtomicWord*>(control_.data() + geometry.entries_offset()),
             geometry.ring_entries},
            head_->cursor),
      writer_({results_.data(), result_region_bytes(result_bytes_)}) {}

void WorkerPort::announce_ready() {
  words_->bell.cancel_sleep();
  head_->master_bell.ring(kEventFd, true);
}

Result<std::optional<WorkerPort::Job>> WorkerPort::try_next() {
  const std::optional<Ring::Claim> claim = ring_.try_claim(worker_);
  if (!claim) return std::nullopt;
  if (Status sane = check(claim->id); !sane) return tl::unexpected(sane.error());
  return take(*claim);
}

std::optional<WorkerPort::Job> WorkerPort::try_next_like(const Job& first) {
  // Only a hint: another worker may claim this job, and its slot may already have the next job.
  const std::optional<Publication> next = ring_.was_ready();
  if (!next || next->job >= job_slots_) return std::nullopt;
  if (!are_alike(*first.header, headers_[next->job])) return std::nullopt;
  const std::optional<Ring::Claim> claim = ring_.try_claim(worker_);
  if (!claim) return std::nullopt;
  if (check(claim->id) && are_alike(*first.header, headers_[claim->id.job])) return take(*claim);
  ring_.give_back(*claim);  // try_next() reports damage once no job is in hand
  return std::nullopt;
}

Status WorkerPort::check(Publication id) const {
  if (id.job >= job_slots_) {
    return fail(ExitCode::kInternal,
                fmt::format("damaged memory: the ring names job {}, expected one below {}", id.job,
                            job_slots_));
  }
  const uint32_t views = headers_[id.job].view_count;
  if (views >= 1 && views <= kViewsMax) return {};
  return fail(ExitCode::kInternal,
              fmt::format("damaged memory: job {} has {} views, expected 1 to {}", id.job, views,
                          kViewsMax));
}

WorkerPort::Job WorkerPort::take(const Ring::Claim& claim) {
  RM_ASSERT(in_hand_ < kBatchMax);
  // Killed here: the entry says CLAIMED by us. Killed after the store: both words name the job.
  words_->running[in_hand_++].store(make_word(EntryState::kClaimed, worker_, claim.id),
                                    std::memory_order_release);
  ring_.release(claim.entry);
  return {claim.id, headers_ + claim.id.job};
}

size_t WorkerPort::was_share() const {
  const auto present = std::count_if(workers_.begin(), workers_.end(), [](const WorkerWords& one) {
    return one.bell.was_state() != WorkerState::kAbsent;
  });
  return ring_.were_ready() / static_cast<size_t>(std::max<ptrdiff_t>(present, 1));
}

void WorkerPort::wait(uint64_t timeout_ns) {
  words_->bell.announce_sleep();
  if (ring_.was_ready()) {
    words_->bell.cancel_sleep();
  } else {
    words_->bell.sleep(timeout_ns);
  }
}

void WorkerPort::finish() {
  if (in_hand_ > 1) head_->master_bell.ring(kEventFd, true);
  while (in_hand_ > 0)
    words_->running[--in_hand_].store(kFreeWord, std::memory_order_release);
}

std::string_view WorkerPort::bytes(View view) const {
  return {reinterpret_cast<const char*>(payload_.data() + view.offset), view.size};
}

char* WorkerPort::reserve(size_t size) {
  if (size > result_bytes_) return nullptr;
  for (;;) {
    if (char* room = writer_.try_reserve(size)) return room;
    // The ring is full until the master takes results. This is rare, so polling is enough.
    head_->master_bell.ring(kEventFd, true);
    ::usleep(200);
  }
}

void WorkerPort::commit(Publication id, int32_t code, size_t size, uint64_t run_ns,
                        uint64_t cpu_ns) {
  writer_.commit(id, code, size, run_ns, cpu_ns);
  head_->master_bell.ring(kEventFd, in_hand_ == 1);
}

}  // namespace ringmaster::ipc
