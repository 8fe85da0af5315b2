#include "master/supervisor/worker_slots.h"

#include <algorithm>

#include "base/assert.h"

namespace ringmaster::master {

WorkerSlots::WorkerSlots(size_t slots, size_t wanted) : slots_(slots), wanted_(wanted) {
  RM_ASSERT(wanted >= 1 && wanted <= slots);
}

std::vector<uint32_t> WorkerSlots::take_due(uint64_t now_ns) {
  std::vector<uint32_t> due;
  for (uint32_t i = 0; i < wanted_; ++i) {
    if (slots_[i].state != State::kVacant || slots_[i].due_ns > now_ns) continue;
    slots_[i].state = State::kForking;
    due.push_back(i);
  }
  return due;
}

bool WorkerSlots::on_forked(uint32_t slot, int32_t pid, uint64_t now_ns) {
  RM_ASSERT(slots_[slot].state == State::kForking);
  slots_[slot].state = State::kStarting;
  slots_[slot].pid = pid;
  slots_[slot].forked_ns = now_ns;
  return slots_[slot].is_killed;
}

void WorkerSlots::on_fork_failed(uint32_t slot, uint64_t now_ns) {
  vacate(slot, now_ns, true);
}

std::optional<uint32_t> WorkerSlots::on_ready(uint32_t slot) {
  if (slots_[slot].state == State::kStarting) slots_[slot].state = State::kUp;
  return take_superfluous(slot);
}

void WorkerSlots::on_exited(uint32_t slot, uint64_t now_ns, bool has_worked) {
  const Slot& exited = slots_[slot];
  const bool is_young = !has_worked && now_ns < exited.forked_ns + kYoungNs;
  vacate(slot, now_ns, exited.state != State::kLeaving && !exited.is_killed && is_young);
}

void WorkerSlots::on_all_gone() {
  for (Slot& slot : slots_)
    slot = {State::kVacant, 0, 0, 0, slot.young_deaths, false};
}

void WorkerSlots::vacate(uint32_t slot, uint64_t now_ns, bool died_young) {
  Slot& vacated = slots_[slot];
  const uint32_t deaths = died_young ? vacated.young_deaths + 1 : 0;
  // After the first young death the next worker starts at once.
  uint64_t wait_ns = 0;
  if (deaths > 1) {
    wait_ns = std::min(kBackOffMaxNs, kBackOffNs << std::min<uint32_t>(deaths - 2, 20));
  }
  vacated = {State::kVacant, 0, 0, now_ns + wait_ns, deaths, false};
}

std::optional<uint32_t> WorkerSlots::want(size_t wanted) {
  wanted = std::clamp<size_t>(wanted, 1, slots_.size());
  const bool is_one_fewer = wanted < wanted_;
  wanted_ = wanted;
  if (!is_one_fewer) return std::nullopt;
  return take_superfluous(static_cast<uint32_t>(wanted));
}

std::optional<uint32_t> WorkerSlots::take_superfluous(uint32_t slot) {
  const State state = slots_[slot].state;
  if (slot < wanted_ || (state != State::kUp && state != State::kStarting)) return std::nullopt;
  slots_[slot].state = State::kLeaving;
  return slot;
}

bool WorkerSlots::try_recycle(uint32_t slot) {
  const bool is_another_leaving = std::any_of(
      slots_.begin(), slots_.end(), [](const Slot& s) { return s.state == State::kLeaving; });
  if (slots_[slot].state != State::kUp || !is_complete() || is_another_leaving) return false;
  slots_[slot].state = State::kLeaving;
  return true;
}

bool WorkerSlots::try_kill(uint32_t slot) {
  Slot& killed = slots_[slot];
  if (killed.state == State::kVacant || killed.is_killed) return false;
  killed.is_killed = true;
  return killed.pid != 0;
}

size_t WorkerSlots::crash_looping_count() const {
  return static_cast<size_t>(
      std::count_if(slots_.begin(), slots_.begin() + static_cast<std::ptrdiff_t>(wanted_),
                    [](const Slot& slot) { return slot.young_deaths >= kCrashLoopDeaths; }));
}

size_t WorkerSlots::up_count() const {
  return static_cast<size_t>(
      std::count_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.is_up(); }));
}

}  // namespace ringmaster::master
