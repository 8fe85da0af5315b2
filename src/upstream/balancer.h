// Balancer: which address of an upstream gets the next fetch.
//
// Pure: no I/O, no clock; its random numbers come from a fixed seed. Not for several threads.
// Picks:  the better of two random addresses: the one with the lower product of fetches in flight,
//         recent time of an answer and cost of recent failures. What is known of an address counts
//         for less the older it is, so that an address that was slow gets a fetch now and then.
// Ejects: an address whose breaker opens gets probes only, until one is answered. At most half of
//         the addresses are ejected. If more of them fail, these are asked like healthy ones.
// Memory: an address that has gone keeps its place until its last fetch has ended.
// Source: Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (2001); brpc's and
//         Finagle's balancers by latency.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/telemetry/moving_average.h"
#include "upstream/breaker.h"
#include "upstream/options.h"

namespace ringmaster::upstream {

class Balancer {
 public:
  struct Choice {
    size_t address = 0;
    Breaker::Pass pass = 0;
  };
  using Addresses = uint32_t;  // a set: bit N is address N

  // Addresses without names. REQUIRES: 1 to kAddressesMax addresses.
  explicit Balancer(size_t addresses) : addresses_(addresses), size_(addresses) {}

  // From now on fetches go to the addresses with these names. The balancer remembers the times and
  // failures of an address that it had before. An address that is not named gets no more fetches.
  // Returns whether an address came or went. A new address for which there is no place is left out.
  // If that holds for all of them, nothing changes. REQUIRES: 1 to kAddressesMax different names,
  // none of them empty.
  bool replace(std::span<const std::string> names, uint64_t now_ns);
  // Empty: the address has none. REQUIRES: a fetch is in flight there.
  const std::string& name(const Choice& choice) const { return addresses_[choice.address].name; }

  // Avoids the addresses that this fetch has tried, if there are others. The fetch is in flight at
  // the address until one of the on_ functions is called.
  Choice pick(Addresses tried, uint64_t now_ns);
  // Whether pick() would find an address that the fetch has not tried and that is not ejected.
  bool has_untried(Addresses tried) const;
  // kOpened: the address is ejected now. kClosed: it is back.
  Breaker::Change on_answer(const Choice& choice, uint64_t took_ns, uint64_t now_ns);
  Breaker::Change on_failure(const Choice& choice, uint64_t took_ns, uint64_t now_ns);
  // The fetch was cut off after this time, which says only that an answer takes longer.
  void on_cut_off(const Choice& choice, uint64_t took_ns, uint64_t now_ns);

  size_t size() const { return size_; }
  size_t ejected() const { return ejected_; }

 private:
  static constexpr size_t kPlaces = 2 * kAddressesMax;  // Addresses has a bit for each

  struct Address {
    bool is_asked() const { return !has_gone && !breaker.is_open(); }

    std::string name = {};
    bool has_gone = false;
    Breaker breaker{Breaker::kAddress};
    size_t in_flight = 0;
    telemetry::MovingAverage answer_ns{};
    uint64_t seen_ns = 0;  // when a fetch last ended
  };

  static bool is_less_loaded(const Address& one, const Address& other, uint64_t now_ns);
  Address* find_place();
  Choice begin(size_t address, Breaker::Pass pass);
  Address& end(const Choice& choice, uint64_t now_ns);

  std::vector<Address> addresses_;
  size_t size_;  // of those that have not gone
  size_t ejected_ = 0;
  std::minstd_rand random_;
};

}  // namespace ringmaster::upstream
