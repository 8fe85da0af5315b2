// Reads the upstreams.
#include <fmt/format.h>

#include "config/addresses.h"
#include "config/sections.h"
#include "config/tokens.h"

namespace ringmaster::config {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";

void read_url(Problems& problems, const Entry& entry, const Paths& paths, std::string& url) {
  const auto text = problems.read_text(entry, "a URL");
  if (!text) return;
  url = *text;
  std::optional<std::string> fault;
  if (text->starts_with(kUnixPrefix)) {
    const std::string path = text->substr(kUnixPrefix.size());
    if (!path.empty()) url = std::string(kUnixPrefix) + paths.beside_config(path);
    fault = find_fault_in_address(url);
  } else if (text->find("://") == std::string::npos) {
    fault = "expected http://..., https://... or unix:PATH, found " + quote_string(*text);
  } else {
    fault = find_fault_in_url(*text);
  }
  if (fault) problems.add(entry, *fault);
}

// Their templates are compiled again with each step.
void read_headers(Problems& problems, const Entry& entry, const Options& options,
                  UpstreamOptions& upstream) {
  std::map<std::string, std::string> secrets;
  for (const auto& [name, source] : options.secrets)
    secrets.emplace(name, source.text);
  upstream.headers = read_fields(problems, entry);
  upstream::RequestTemplate checked;
  for (const auto& [name, value] : upstream.headers) {
    const auto fault = checked.add_header(name, value, {{}, &secrets, false});
    if (fault) problems.add(entry, fmt::format("{}: {}", name, *fault));
  }
}

void read_tls_file(Problems& problems, const Entry& entry, const Paths& paths, bool is_secret,
                   std::string& file) {
  if (entry.value->kind == Kind::kString && entry.value->text.empty()) return;
  const auto path = problems.read_text(entry, "a path, or \"\"");
  if (!path) return;
  auto found = paths.find(*path);
  if (!found) return problems.add(entry, found.error());
  if (is_secret) {
    if (const auto fault = find_fault_in_mode(*found)) problems.add(entry, *fault);
  }
  file = std::move(*found);
}

}  // namespace

void read_upstreams(Problems& problems, const Entry& section, const Paths& paths,
                    Options& options) {
  for_each_table(problems, section, [&](const std::string& name, const Entry& table) {
    UpstreamOptions upstream;
    upstream.name = name;
    read_table(problems, table, kUpstreamsKeys, upstream,
               [&](std::string_view key, const Entry& entry) {
                 if (key == "url") return read_url(problems, entry, paths, upstream.url);
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
                 std::string& file = key == "tls_ca_file"            ? upstream.tls_ca_file
                                     : key == "tls_certificate_file" ? upstream.tls_certificate_file
                                                                     : upstream.tls_key_file;
                 read_tls_file(problems, entry, paths, key == "tls_key_file", file);
               });
    if (find(*table.value, "url") == nullptr) {
      problems.add(table,
                   "has no url; expected one, such as url = \"http://127.0.0.1:7080/features\"");
    }
    if (upstream.http == upstream::HttpVersion::kHttp2 && !upstream.url.starts_with("https:")) {
      problems.add(table,
                   "expected a url with https:// for http = \"2\": libcurl cannot keep "
                   "connections of HTTP/2 without TLS");
    }
    if (upstream.tls_certificate_file.empty() != upstream.tls_key_file.empty()) {
      problems.add(table, "expected both tls_certificate_file and tls_key_file, found one of them");
    }
    options.upstreams.push_back(std::move(upstream));
  });
}

}  // namespace ringmaster::config
