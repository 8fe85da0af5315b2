#include "master/frontend/access_control.h"

#include <algorithm>
#include <utility>

#include "base/json/scan.h"

namespace ringmaster::master {
namespace {

constexpr uint64_t kReportNs = 1'000'000'000;

struct Words {
  std::string_view event;
  std::string_view why;
};
constexpr Words kWords[kRefusals] = {
    {"clients_refused", "address"},
    {"clients_refused", "proxy_header"},
    {"clients_refused", "tls"},
    {"clients_refused", "token"},
    {"clients_refused", "connections"},
    {"clients_refused", "connections_per_client"},
    {"connections_closed", "made_room"},
    {"connections_closed", "connection_memory_bytes"},
    {"handshakes_delayed", "time_of_client"},
    {"refusals_delayed", "too_many"},
};

class TokenFinder : public json::Visitor {
 public:
  size_t depth_max() const override { return 1; }
  void restart() override { *this = {}; }
  void key(std::string_view text, size_t) override { is_token_ = text == "token"; }
  void value(const json::Value& value) override {
    if (value.depth != 1) return;
    ++values_;
    if (value.kind == json::Kind::kString && is_token_) token_ = value.text;
  }
  // In an object: the member "token"; in an array: the only item.
  std::string found(bool is_object) const { return is_object || values_ == 1 ? token_ : ""; }

 private:
  bool is_token_ = true;  // an array's items have no names
  size_t values_ = 0;
  std::string token_;
};

}  // namespace

// Compares with all tokens, so that the time reveals nothing about them.
std::string AccessControl::client_with(std::string_view token) const {
  const Secret secret(token);
  const Token* found = nullptr;
  for (const Token& one : tokens_) {
    if (one.secret == secret) found = &one;
  }
  return found != nullptr ? "token " + found->name : "";
}

bool AccessControl::lets_in(const sockaddr_storage& client) const {
  return net::is_in_any(allow_, client);
}

void AccessControl::count(Refusal why, std::string whom) {
  Tally& tally = tallies_[static_cast<size_t>(why)];
  ++tally.total;
  tally.whom = std::move(whom);
}

std::vector<AccessControl::Report> AccessControl::take_reports(uint64_t now_ns) {
  std::vector<Report> reports;
  for (size_t i = 0; i < kRefusals; ++i) {
    Tally& tally = tallies_[i];
    if (tally.total == tally.reported) continue;
    if (tally.reported_ns && now_ns < *tally.reported_ns + kReportNs) continue;
    reports.push_back(
        {kWords[i].event, kWords[i].why, tally.total - tally.reported, tally.total, tally.whom});
    tally.reported = tally.total;
    tally.reported_ns = now_ns;
  }
  return reports;
}

std::string token_of(std::string_view params) {
  TokenFinder finder;
  if (json::scan(params, finder)) return "";
  return finder.found(params.starts_with('{'));
}

}  // namespace ringmaster::master
