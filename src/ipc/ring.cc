#include "ipc/ring.h"

#include <algorithm>

namespace ringmaster::ipc {

bool Ring::try_publish(Publication id) {
  for (size_t tried = 0; tried < capacity(); ++tried) {
    AtomicWord& entry = entries_[next_];
    next_ = (next_ + 1) % capacity();
    if (entry.load(std::memory_order_acquire) == kFreeWord) {
      // Only the master changes a FREE entry, so no compare-exchange is needed.
      entry.store(make_word(EntryState::kReady, 0, id), std::memory_order_seq_cst);
      return true;
    }
  }
  return false;
}

bool Ring::try_withdraw(Publication id) {
  for (AtomicWord& entry : entries_) {
    JobWord expected = make_word(EntryState::kReady, 0, id);
    // A load costs a hundredth of an exchange.
    if (entry.load(std::memory_order_relaxed) != expected) continue;
    if (entry.compare_exchange_strong(expected, kFreeWord, std::memory_order_relaxed)) return true;
  }
  return false;
}

std::optional<Ring::Claim> Ring::try_claim(uint32_t worker) {
  const size_t start = cursor_.load(std::memory_order_relaxed) % capacity();
  for (size_t tried = 0; tried < capacity(); ++tried) {
    const size_t at = (start + tried) % capacity();
    JobWord word = entries_[at].load(std::memory_order_relaxed);
    if (state_of(word) != EntryState::kReady) continue;
    const JobWord claimed = make_word(EntryState::kClaimed, worker, publication_of(word));
    if (entries_[at].compare_exchange_strong(word, claimed, std::memory_order_acquire,
                                             std::memory_order_relaxed)) {
      cursor_.store(at + 1, std::memory_order_relaxed);
      return Claim{at, publication_of(claimed)};
    }
  }
  return std::nullopt;
}

void Ring::give_back(const Claim& claim) {
  entries_[claim.entry].store(make_word(EntryState::kReady, 0, claim.id),
                              std::memory_order_seq_cst);
  cursor_.store(claim.entry, std::memory_order_relaxed);
}

std::optional<Publication> Ring::was_ready() const {
  const size_t start = cursor_.load(std::memory_order_relaxed) % capacity();
  for (size_t tried = 0; tried < capacity(); ++tried) {
    const JobWord word = entries_[(start + tried) % capacity()].load(std::memory_order_seq_cst);
    if (state_of(word) == EntryState::kReady) return publication_of(word);
  }
  return std::nullopt;
}

size_t Ring::were_ready() const {
  return static_cast<size_t>(
      std::count_if(entries_.begin(), entries_.end(), [](const AtomicWord& entry) {
        return state_of(entry.load(std::memory_order_relaxed)) == EntryState::kReady;
      }));
}

bool Ring::is_ready(Publication id) const {
  const JobWord ready = make_word(EntryState::kReady, 0, id);
  return std::any_of(entries_.begin(), entries_.end(), [ready](const AtomicWord& entry) {
    return entry.load(std::memory_order_relaxed) == ready;
  });
}

std::vector<Publication> Ring::take_over(uint32_t worker) {
  std::vector<Publication> claimed;
  for (AtomicWord& entry : entries_) {
    const JobWord word = entry.load(std::memory_order_acquire);
    if (state_of(word) != EntryState::kClaimed || worker_of(word) != worker) continue;
    claimed.push_back(publication_of(word));
    entry.store(kFreeWord, std::memory_order_release);
  }
  return claimed;
}

}  // namespace ringmaster::ipc
