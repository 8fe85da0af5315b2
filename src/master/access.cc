#include "master/access.h"

#include <algorithm>
#include <utility>

namespace ringmaster::master {
namespace {

constexpr uint64_t kReportNs = 1'000'000'000;

constexpr std::string_view kWords[kRefusals] = {"address", "tls"};

}  // namespace

bool Access::lets_in(const sockaddr_storage& client) const {
  return std::any_of(allow_.begin(), allow_.end(),
                     [&](const net::Cidr& range) { return range.contains(client); });
}

void Access::count(Refusal why, std::string whom) {
  Tally& tally = tallies_[static_cast<size_t>(why)];
  ++tally.total;
  tally.whom = std::move(whom);
}

std::vector<Access::Report> Access::take_reports(uint64_t now_ns) {
  std::vector<Report> reports;
  for (size_t i = 0; i < kRefusals; ++i) {
    Tally& tally = tallies_[i];
    if (tally.total == tally.reported) continue;
    if (tally.reported_ns && now_ns < *tally.reported_ns + kReportNs) continue;
    reports.push_back({kWords[i], tally.total - tally.reported, tally.total, tally.whom});
    tally.reported = tally.total;
    tally.reported_ns = now_ns;
  }
  return reports;
}

}  // namespace ringmaster::master
