// [listen]: where clients connect, and which clients may.
#include <algorithm>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>

#include "base/ascii.h"
#include "config/addresses.h"
#include "config/sections.h"
#include "config/tokens.h"

namespace ringmaster::config {
namespace {

constexpr uint32_t kModeMax = 0777;

// An address of listen.rpc or listen.status; empty: it is invalid.
std::string read_address(Problems& problems, const Entry& entry, const Paths& paths) {
  const auto text = problems.read_text(entry, "an address, \"HOST:PORT\" or \"unix:PATH\"");
  if (!text) return "";
  constexpr std::string_view kUnix = net::kUnixScheme;
  const bool is_path = text->starts_with(kUnix) && text->size() > kUnix.size();
  const std::string address =
      is_path ? std::string(kUnix) + paths.beside_config(text->substr(kUnix.size())) : *text;
  const auto fault = find_fault_in_address(address);
  if (fault) problems.add(entry, *fault);
  return fault ? "" : address;
}

void read_addresses(Problems& problems, const Entry& entry, const Paths& paths, Options& options) {
  if (!problems.expect(entry, Kind::kArray, "an array of addresses")) return;
  if (entry.value->items.empty()) problems.add(entry, "expected at least one address, found none");
  options.listen_rpc.clear();
  for (size_t i = 0; i < entry.value->items.size(); ++i) {
    const Entry item = entry.item(i);
    const std::string address = read_address(problems, item, paths);
    if (address.empty()) continue;
    const bool is_there = std::any_of(options.listen_rpc.begin(), options.listen_rpc.end(),
                                      [&](const net::Address& one) {
                                        return net::without_tls(one) == net::without_tls(address);
                                      });
    // Port 0 is a different port each time.
    if (is_there && !address.ends_with(":0")) {
      problems.add(item, "the address " + address + " is already in the list");
    }
    options.listen_rpc.push_back(address);
  }
}

void read_token_file(Problems& problems, const Entry& entry, const Paths& paths, Options& options) {
  read_secret_file(problems, entry, paths, options.token_file);
  if (options.token_file.empty()) return;
  const auto tokens = read_tokens(options.token_file);
  if (tokens) options.tokens = *tokens;
  if (!tokens) problems.add(entry, tokens.error());
}

void read_status(Problems& problems, const Entry& entry, const Paths& paths, Options& options) {
  net::Address& status = options.listen_status;
  options.is_status_configured = true;
  if (entry.is_empty_text()) return status.clear();  // off
  status = read_address(problems, entry, paths);
  if (net::is_tls(status)) problems.add(entry, "expected an address without TLS");
}

std::optional<uint32_t> id_of_user(const std::string& name) {
  const passwd* const user = ::getpwnam(name.c_str());
  return user == nullptr ? std::nullopt : std::optional(user->pw_uid);
}

std::optional<uint32_t> id_of_group(const std::string& name) {
  const group* const found = ::getgrnam(name.c_str());
  return found == nullptr ? std::nullopt : std::optional(found->gr_gid);
}

// A user or a group, by name or by number; "": the process's own.
void read_principal(Problems& problems, const Entry& entry, const char* kind,
                    std::optional<uint32_t> (*id_of)(const std::string&), std::string& name,
                    uint32_t& id) {
  if (entry.is_empty_text()) return;
  const auto text = problems.read_text(entry, fmt::format("the name of a {}, or \"\"", kind));
  if (!text) return;
  auto found = id_of(*text);
  if (!found) found = to_number<uint32_t>(*text);
  if (!found || *found == net::UnixAccess::kOwn) {
    return problems.add(entry, fmt::format("expected the name or the number of a {}, found {}; "
                                           "there is none of that name",
                                           kind, quote_string(*text)));
  }
  name = *text;
  id = *found;
}

void read_mode(Problems& problems, const Entry& entry, uint32_t& mode) {
  constexpr std::string_view kExpected = "an octal mode from \"0000\" to \"0777\"";
  const auto text = problems.read_text(entry, kExpected);
  if (!text) return;
  const auto number = to_number<uint32_t>(*text, 8);
  if (number && *number <= kModeMax) {
    mode = *number;
  } else {
    problems.add(entry, fmt::format("expected {}, found {}", kExpected, quote_string(*text)));
  }
}

void read_origins(Problems& problems, const Entry& entry, std::vector<std::string>& origins) {
  constexpr std::string_view kExpected = "an origin such as \"https://app.example\", or \"*\"";
  if (!problems.expect(entry, Kind::kArray, "an array of origins")) return;
  for (size_t i = 0; i < entry.value->items.size(); ++i) {
    const Entry item = entry.item(i);
    const auto text = problems.read_text(item, kExpected);
    if (!text) continue;
    // A browser's Origin has no path: a configured origin with a slash at its end never matches.
    const size_t scheme = text->find("://");
    const bool is_origin = scheme != std::string::npos && scheme > 0 && text->size() > scheme + 3 &&
                           text->find('/', scheme + 3) == std::string::npos;
    if (is_origin || *text == "*" || *text == "null") {
      origins.push_back(*text);
    } else {
      problems.add(item, fmt::format("expected {}, found {}", kExpected, quote_string(*text)));
    }
  }
}

void read_ranges(Problems& problems, const Entry& entry, std::vector<net::Cidr>& ranges) {
  if (!problems.expect(entry, Kind::kArray, "an array of ranges such as \"10.0.0.0/8\"")) return;
  for (size_t i = 0; i < entry.value->items.size(); ++i) {
    const Entry item = entry.item(i);
    const auto text = problems.read_text(item, "a range such as \"10.0.0.0/8\"");
    if (!text) continue;
    const auto cidr = net::Cidr::parse(*text);
    if (cidr) ranges.push_back(*cidr);
    if (!cidr) problems.add(item, fmt::format("{}, found {}", cidr.error(), quote_string(*text)));
  }
}

// Two listeners must not bind one unix socket: the second would replace the first silently.
void check_status(Problems& problems, const Entry& section, const Options& options) {
  if (options.listen_status.ends_with(":0")) return;  // a different port each time
  for (const net::Address& address : options.listen_rpc) {
    if (net::without_tls(address) != options.listen_status) continue;
    problems.add(section, "expected another address for status, since " + address + " is in rpc");
  }
}

// TLS needs a certificate and a key. Without them a client CA would have no effect.
void check_tls_files(Problems& problems, const Entry& section, const Options& options) {
  const net::TlsFiles& tls = options.tls;
  const auto expect = [&](const std::string& file, std::string_view key,
                          const std::string& reason) {
    if (file.empty()) problems.add(section, fmt::format("expected {}, since {}", key, reason));
  };
  std::string reason;
  for (const net::Address& address : options.listen_rpc) {
    if (net::is_tls(address)) reason = address + " is in rpc";
  }
  if (!tls.client_crl.empty()) {
    reason = "there is a tls_client_crl_file";
    expect(tls.client_ca, "tls_client_ca_file", reason);
  }
  if (!tls.client_ca.empty()) reason = "there is a tls_client_ca_file";
  if (!tls.certificate.empty()) reason = "there is a tls_certificate_file";
  if (!tls.key.empty()) reason = "there is a tls_key_file";
  if (reason.empty()) return;
  expect(tls.certificate, "tls_certificate_file", reason);
  expect(tls.key, "tls_key_file", reason);
}

}  // namespace

void read_listen(Problems& problems, const Entry& section, const Paths& paths, Options& options) {
  const auto read = [&](std::string_view name, const Entry& entry) {
    net::UnixAccess& access = options.unix_access;
    net::TlsFiles& tls = options.tls;
    if (name == "rpc") read_addresses(problems, entry, paths, options);
    if (name == "status") read_status(problems, entry, paths, options);
    if (name == "origins") read_origins(problems, entry, options.listen_origins);
    if (name == "allow") read_ranges(problems, entry, options.allow);
    if (name == "endpoint_load_metrics") problems.read_flag(entry, options.endpoint_load_metrics);
    if (name == "proxy_from") read_ranges(problems, entry, options.proxy_from);
    if (name == "token_file") read_token_file(problems, entry, paths, options);
    if (name == "tls_certificate_file") read_file(problems, entry, paths, tls.certificate);
    if (name == "tls_key_file") read_secret_file(problems, entry, paths, tls.key);
    if (name == "tls_client_ca_file") read_file(problems, entry, paths, tls.client_ca);
    if (name == "tls_client_crl_file") read_file(problems, entry, paths, tls.client_crl);
    if (name == "unix_mode") read_mode(problems, entry, access.mode);
    if (name == "unix_owner") {
      read_principal(problems, entry, "user", id_of_user, access.owner, access.owner_id);
    }
    if (name == "unix_group") {
      read_principal(problems, entry, "group", id_of_group, access.group, access.group_id);
    }
  };
  const size_t before = problems.count();
  read_table(problems, section, kListenKeys, options, read);
  if (problems.count() > before) return;
  check_tls_files(problems, section, options);
  check_status(problems, section, options);
}

}  // namespace ringmaster::config
