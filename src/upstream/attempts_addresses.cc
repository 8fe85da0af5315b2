// Attempts: its addresses, and what they have and wait for together.
#include <algorithm>
#include <fmt/format.h>
#include <span>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "upstream/attempts.h"

namespace ringmaster::upstream {
namespace {

size_t count_of_urls(const UpstreamOptions& options) {
  return 1 + options.further_urls.size();
}

// The share that each URL has of what there is for all of them.
uint64_t share_of(uint64_t all, const UpstreamOptions& options) {
  return std::max<uint64_t>(all / count_of_urls(options), 1);
}

UpstreamOptions options_of(const UpstreamOptions& options, size_t url) {
  UpstreamOptions its = options;
  if (url > 0) its.url = options.further_urls[url - 1];
  its.connections = share_of(options.connections, options);
  return its;
}

// For the log: the URL may have a password.
std::string_view host_of(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return url;
  url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  return url.substr(url.rfind('@') + 1);  // npos + 1 is 0
}

}  // namespace

Result<std::unique_ptr<Attempts>> Attempts::create(uv_loop_t* loop,
                                                   const UpstreamOptions& options) {
  std::unique_ptr<Attempts> attempts(new Attempts(loop, options));
  for (size_t i = 0; i < count_of_urls(options); ++i) {
    Result<std::unique_ptr<HttpClient>> client = HttpClient::create(loop, options_of(options, i));
    if (!client) return tl::unexpected(client.error());
    if (options.in_flight > 0) (*client)->set_limit(share_of(options.in_flight, options));
    if (options.in_flight == 0) {
      const AdaptiveLimit& limit =
          attempts->limits_.emplace_back(share_of(options.connections, options));
      (*client)->set_limit(limit.limit());
    }
    attempts->clients_.push_back(std::move(*client));
  }
  if (!options.resolves) return attempts;
  const auto on_found = [its = attempts.get()](const std::vector<std::string>& addresses) {
    its->set_addresses(addresses);
  };
  Result<std::unique_ptr<NameLookup>> lookup =
      NameLookup::create(loop, options.name, host_name_of(options.url), on_found);
  if (!lookup) return tl::unexpected(lookup.error());
  attempts->lookup_ = std::move(*lookup);
  return attempts;
}

void Attempts::set_addresses(const std::vector<std::string>& found) {
  const std::span used(found.data(), std::min(found.size(), kAddressesMax));
  const bool has_changed = balancer_.replace(used, now_ns());
  clients_[0]->end_idle_except(used);
  if (!has_changed) return;
  log(Level::kInfo, "upstream_addresses",
      {{"upstream", options_.name},
       {"addresses", fmt::format("{}", fmt::join(used, ","))},
       {"left_out", found.size() - used.size()}});
}

size_t Attempts::url_of(Balancer::Choice choice) const {
  return lookup_ ? 0 : choice.address;
}

// For the log.
std::string_view Attempts::address_of(Balancer::Choice choice) const {
  const std::string& name = balancer_.name(choice);
  return name.empty() ? host_of(clients_[url_of(choice)]->options().url) : name;
}

uint64_t Attempts::descriptors_max(const UpstreamOptions& options) {
  uint64_t sum = options.resolves ? NameLookup::kDescriptors : 0;
  // http:// and https:// need different numbers.
  for (size_t i = 0; i < count_of_urls(options); ++i)
    sum += HttpClient::descriptors_max(options_of(options, i));
  return sum;
}

size_t Attempts::waiting() const {
  size_t sum = 0;
  for (const auto& client : clients_)
    sum += client->waiting();
  return sum;
}

uint64_t Attempts::limit() const {
  uint64_t sum = 0;
  for (const auto& client : clients_)
    sum += client->limit();
  return sum;
}

double Attempts::wait_ns(const void* client) const {
  double least_ns = clients_[0]->wait_ns(client);
  for (const auto& address : clients_)
    least_ns = std::min(least_ns, address->wait_ns(client));
  return least_ns;
}

}  // namespace ringmaster::upstream
