// Reads the upstreams.
#include <algorithm>
#include <fmt/format.h>

#include "base/ascii.h"
#include "config/addresses.h"
#include "config/sections.h"
#include "upstream/name_lookup.h"

namespace ringmaster::config {
namespace {

std::string read_url(Problems& problems, const Entry& entry, const Paths& paths) {
  const auto text = problems.read_text(entry, "a URL");
  if (!text) return "";
  std::string url = *text;
  std::optional<std::string> fault;
  if (text->starts_with(net::kUnixScheme)) {
    const std::string path = text->substr(net::kUnixScheme.size());
    if (!path.empty()) url = std::string(net::kUnixScheme) + paths.beside_config(path);
    fault = find_fault_in_address(url);
  } else if (text->find("://") == std::string::npos) {
    fault = "expected http://..., https://... or unix:PATH, found " + quote_string(*text);
  } else {
    fault = find_fault_in_url(*text);
  }
  if (fault) problems.add(entry, *fault);
  return url;
}

void read_urls(Problems& problems, const Entry& entry, const Paths& paths,
               UpstreamOptions& upstream) {
  if (entry.value->kind != Kind::kArray) {
    upstream.url = read_url(problems, entry, paths);
    return;
  }
  const size_t count = entry.value->items.size();
  if (count == 0 || count > upstream::kAddressesMax) {
    return problems.add(
        entry, fmt::format("expected 1 to {} URLs, found {}", upstream::kAddressesMax, count));
  }
  upstream.url = read_url(problems, entry.item(0), paths);
  for (size_t i = 1; i < count; ++i) {
    std::string url = read_url(problems, entry.item(i), paths);
    if (url == upstream.url || std::ranges::count(upstream.further_urls, url) > 0) {
      problems.add(entry.item(i), "expected another URL: the array has this one already");
    }
    upstream.further_urls.push_back(std::move(url));
  }
}

// Milliseconds, or "p95".
void read_after(Problems& problems, const Entry& entry, upstream::Hedge& hedge) {
  const std::string& text = entry.value->text;
  if (entry.value->kind != Kind::kString) {
    const Key<upstream::Hedge>& key = *find_key(kHedgeKeys, "after");
    hedge.after_ms = problems.read_number(entry, key.type, key.min, key.max).value_or(0);
  } else if (text.size() == 3 && text[0] == 'p' && text[1] >= '5' && text[1] <= '9' &&
             text[2] >= '0' && text[2] <= '9') {
    hedge.after_percentile = to_number<uint64_t>(text.substr(1)).value_or(0);
  } else {
    problems.add(entry,
                 "expected \"p50\" to \"p99\", or milliseconds, found " + quote_string(text));
  }
}

void read_hedge(Problems& problems, const Entry& entry, upstream::Hedge& hedge) {
  if (!problems.expect(entry, Kind::kTable, "a table such as { after = \"p95\" }, or {}")) return;
  read_table(problems, entry, kHedgeKeys, hedge,
             [&](std::string_view, const Entry& after) { read_after(problems, after, hedge); });
  if (!entry.value->members.empty() && find(*entry.value, "after") == nullptr) {
    problems.add(entry, "has no after; expected one, such as { after = \"p95\" }");
  }
}

// Checks the headers' templates. Each fetch step compiles them again.
void read_headers(Problems& problems, const Entry& entry, const Options& options,
                  UpstreamOptions& upstream) {
  const std::map<std::string, std::string> secrets = secret_texts(options);
  upstream.headers = read_fields(problems, entry);
  upstream::RequestTemplate checked;
  for (const auto& [name, value] : upstream.headers) {
    const auto fault = checked.add_header(name, value, {{}, &secrets, false});
    if (fault) problems.add(entry, fmt::format("{}: {}", name, *fault));
  }
}

void read_cache(Problems& problems, const Entry& entry, CacheOptions& cache) {
  const size_t before = problems.count();
  read_table(problems, entry, kCacheKeys, cache, [](std::string_view, const Entry&) {});
  if (cache.is_on() || problems.count() > before || entry.value->members.empty()) return;
  problems.add(entry, "keeps no response; expected a time, such as ttl_ms = 1000");
}

void check_resolve(Problems& problems, const Entry& table, const UpstreamOptions& upstream) {
  if (!upstream.resolves || upstream.url.empty()) return;
  if (!upstream.further_urls.empty() || upstream::host_name_of(upstream.url).empty()) {
    problems.add(table, "expected one url with a host name for resolve = true, found " +
                            (upstream.further_urls.empty() ? quote_string(upstream.url)
                                                           : std::string("an array")));
  }
  // Connections of HTTP/2 are hardly ever idle, so libcurl cannot give one up for another address.
  // Each address needs two multi handles with a connection each.
  constexpr uint64_t kLeast = 2 * upstream::kAddressesMax;
  const bool may_be_http2 =
      upstream.url.starts_with("https:") && upstream.http != upstream::HttpVersion::kHttp1;
  if (may_be_http2 && upstream.connections < kLeast) {
    problems.add(table, fmt::format("expected connections = {} or more, or http = \"1.1\", for "
                                    "resolve = true with https://, found {}",
                                    kLeast, upstream.connections));
  }
}

}  // namespace

void read_upstreams(Problems& problems, const Entry& section, const Paths& paths,
                    Options& options) {
  for_each_table(problems, section, [&](const std::string& name, const Entry& table) {
    UpstreamOptions upstream;
    upstream.name = name;
    read_table(
        problems, table, kUpstreamsKeys, upstream, [&](std::string_view key, const Entry& entry) {
          if (key == "url") return read_urls(problems, entry, paths, upstream);
          if (key == "headers") return read_headers(problems, entry, options, upstream);
          if (key == "http") {
            const auto version = problems.read_choice(entry, kHttpVersions);
            if (version) upstream.http = static_cast<upstream::HttpVersion>(*version);
            return;
          }
          if (key == "redirects") {
            upstream.follows_redirects = problems.read_choice(entry, kRedirects) == 1;
            return;
          }
          if (key == "resolve") return problems.read_flag(entry, upstream.resolves);
          if (key == "idempotent") return problems.read_flag(entry, upstream.is_idempotent);
          if (key == "hedge") return read_hedge(problems, entry, upstream.hedge);
          if (key == "breaker") return problems.read_flag(entry, upstream.has_breaker);
          if (key == "cache") return read_cache(problems, entry, upstream.cache);
          if (key == "coalesce") return problems.read_flag(entry, upstream.coalesce);
          if (key == "tls_key_file")
            return read_secret_file(problems, entry, paths, upstream.tls_key_file);
          read_file(problems, entry, paths,
                    key == "tls_ca_file" ? upstream.tls_ca_file : upstream.tls_certificate_file);
        });
    if (find(*table.value, "url") == nullptr) {
      problems.add(table,
                   "has no url; expected one, such as url = \"http://127.0.0.1:7080/features\"");
    }
    const auto is_plain = [](const std::string& url) { return !url.starts_with("https:"); };
    if (upstream.http == upstream::HttpVersion::kHttp2 &&
        (is_plain(upstream.url) || std::ranges::any_of(upstream.further_urls, is_plain))) {
      problems.add(table,
                   "expected a url with https:// for http = \"2\": libcurl cannot keep "
                   "connections of HTTP/2 without TLS");
    }
    if (upstream.tls_certificate_file.empty() != upstream.tls_key_file.empty()) {
      problems.add(table, "expected both tls_certificate_file and tls_key_file, found one of them");
    }
    check_resolve(problems, table, upstream);
    const size_t addresses = 1 + upstream.further_urls.size();
    for (const auto& [key, most] : {std::pair("connections", upstream.connections),
                                    std::pair("in_flight", upstream.in_flight)}) {
      if (most == 0 || most >= addresses) continue;  // 0: in_flight = "auto"
      problems.add(table, fmt::format("expected {} = {} or more, one for each address, found {}",
                                      key, addresses, most));
    }
    options.upstreams.push_back(std::move(upstream));
  });
}

}  // namespace ringmaster::config
