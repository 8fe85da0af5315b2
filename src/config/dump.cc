#include <algorithm>
#include <fmt/format.h>

#include "config/body_text.h"
#include "config/config.h"
#include "config/keys.h"
#include "config/problems.h"

namespace ringmaster::config {
namespace {

std::string number_text(uint64_t number, Type type) {
  if (type == Type::kCountOrAuto && number == 0) return "\"auto\"";
  const auto size = type == Type::kBytes ? size_in_unit(number) : std::nullopt;
  return size ? quote_string(*size) : std::to_string(number);
}

// Appends the numbers of a table, and no other keys.
template <class T, size_t N>
void append_numbers(std::string& out, const Key<T> (&keys)[N], const T& from) {
  for (const Key<T>& key : keys) {
    if (key.member == nullptr) continue;
    out += fmt::format("{} = {}\n", key.name, number_text(from.*key.member, key.type));
  }
}

// A table of texts: { name = "text", ... }.
template <class Fields, class TextOf>
std::string fields_text(const Fields& fields, TextOf text_of) {
  std::string out;
  for (const auto& [name, value] : fields)
    out += fmt::format("{} {} = {}", out.empty() ? "" : ",", quote_key(name),
                       quote_string(text_of(value)));
  return "{" + out + (out.empty() ? "}" : " }");
}

std::string cache_text(const CacheOptions& cache) {
  if (!cache.is_on()) return "{}";
  std::string out;
  for (const Key<CacheOptions>& key : kCacheKeys)
    out += fmt::format("{}{} = {}", out.empty() ? "{ " : ", ", key.name,
                       number_text(cache.*key.member, key.type));
  return out + " }";
}

std::string fetch_text(const Options& options, const master::FetchStep& step) {
  const upstream::RequestTemplate& request = step.request;
  const auto source = [](const upstream::Template& text) { return text.source(); };
  const std::string& upstream = options.upstreams[step.upstream].name;
  std::string out = fmt::format("{{ fetch = {}, method = {}", quote_string(upstream),
                                quote_string(request.method()));
  if (!request.path().empty()) out += ", path = " + quote_string(request.path());
  if (!request.query().empty()) out += ", query = " + fields_text(request.query(), source);
  if (!request.headers().empty()) out += ", headers = " + fields_text(request.headers(), source);
  if (request.has_body()) out += ", body = " + to_toml(request.body());
  if (step.timeout_ms > 0) out += fmt::format(", timeout_ms = {}", step.timeout_ms);
  if (step.is_optional) out += ", optional = true";
  if (step.name != upstream) out += ", as = " + quote_string(step.name);
  return out + " }";
}

// Appends the step at this index, and the fetches that begin together with it.
void append_steps(std::string& out, const Options& options, const Method& method, size_t begin) {
  const size_t end = master::end_of_parallel(method, begin);
  if (const auto* run = std::get_if<master::RunStep>(&method.steps[begin])) {
    const std::string& handler = options.handlers[run->handler].name;
    const std::string as = run->name == handler ? "" : ", as = " + quote_string(run->name);
    out += fmt::format("  {{ run = {}{} }},\n", quote_string(handler), as);
    return;
  }
  std::string fetches;
  for (size_t i = begin; i < end; ++i)
    fetches += (i == begin ? "" : ", ") +
               fetch_text(options, std::get<master::FetchStep>(method.steps[i]));
  out += end == begin + 1 ? fmt::format("  {},\n", fetches)
                          : fmt::format("  {{ parallel = [{}] }},\n", fetches);
}

void append_method(std::string& out, const Options& options, const Method& method) {
  out += fmt::format("\n[methods.{}]\n", quote_key(method.name));
  out += fmt::format("summary = {}\n", quote_string(method.summary));
  append_numbers(out, kMethodsKeys, method);
  out += fmt::format("rehearse = {}\n", method.rehearse);
  out += "steps = [\n";
  for (size_t i = 0; i < method.steps.size(); i = master::end_of_parallel(method, i))
    append_steps(out, options, method, i);
  out += "]\n";
}

std::string hedge_text(const upstream::Hedge& hedge) {
  if (!hedge.is_on()) return "{}";
  return fmt::format("{{ after = {}, budget_percent = {} }}",
                     hedge.after_ms > 0 ? fmt::format("{}", hedge.after_ms)
                                        : fmt::format("\"p{}\"", hedge.after_percentile),
                     hedge.budget_percent);
}

std::string sandbox_text(ipc::Sandbox sandbox) {
  if (sandbox == ipc::Sandbox::kBestEffort) return quote_string(kBestEffort);
  return sandbox == ipc::Sandbox::kFull ? "true" : "false";
}

std::string access_text(uint64_t every) {
  if (every == 0) return "\"off\"";
  return every == 1 ? "\"all\"" : std::to_string(every);
}

// An array of strings, one for each item, by `text_of`.
template <class T, class TextOf>
std::string array_of(const std::vector<T>& items, TextOf text_of) {
  std::string out = "[";
  for (const T& item : items)
    out += (out.size() == 1 ? "" : ", ") + quote_string(text_of(item));
  return out + "]";
}

std::string dump_listen(const Options& options) {
  const net::UnixAccess& access = options.unix_access;
  const auto as_is = [](const std::string& one) { return one; };
  const auto range = [](const net::Cidr& one) { return one.text(); };
  return fmt::format("[listen]\nrpc = {}\nstatus = {}\norigins = {}\nallow = {}\nproxy_from = {}\n",
                     array_of(options.listen_rpc, as_is), quote_string(options.listen_status),
                     array_of(options.listen_origins, as_is), array_of(options.allow, range),
                     array_of(options.proxy_from, range)) +
         fmt::format("token_file = {}\nendpoint_load_metrics = {}\n",
                     quote_string(options.token_file), options.endpoint_load_metrics) +
         fmt::format("tls_certificate_file = {}\ntls_key_file = {}\ntls_client_ca_file = {}\n",
                     quote_string(options.tls.certificate), quote_string(options.tls.key),
                     quote_string(options.tls.client_ca)) +
         fmt::format("tls_client_crl_file = {}\n", quote_string(options.tls.client_crl)) +
         fmt::format("unix_owner = {}\nunix_group = {}\nunix_mode = \"{:04o}\"\n",
                     quote_string(access.owner), quote_string(access.group), access.mode);
}

std::string dump_fair(const Fair& fair) {
  std::string weights;
  for (const auto& [client, weight] : fair.weights)
    weights += fmt::format("{}{} = {}", weights.empty() ? " " : ", ", quote_key(client), weight);
  return fmt::format("\n[fair]\nby = {}\nweights = {{{}}}\n",
                     quote_string(kFairBy[fair.is_by_client ? 0 : 1]),
                     weights + (weights.empty() ? "" : " "));
}

}  // namespace

std::string dump(const master::Options& options) {
  std::string out = dump_listen(options);
  append_numbers(out, kListenKeys, options);
  out += "\n[workers]\n";
  append_numbers(out, kWorkersKeys, options);
  out += fmt::format("sandbox = {}\n", sandbox_text(options.confinement.sandbox));
  out += fmt::format("user = {}\n", quote_string(options.worker_user));
  out += fmt::format("spare = {}\n", options.confinement.keeps_spare != 0);
  out += fmt::format("profile = {}\n", options.worker_profile);
  out += fmt::format("debug = {}\n", options.worker_debug);
  out += "\n[limits]\n";
  append_numbers(out, kLimitsKeys, options.limits);
  out += dump_fair(options.fair);
  out += fmt::format("\n[crashes]\nfolder = {}\n", quote_string(options.crashes.folder));
  append_numbers(out, kCrashesKeys, options.crashes);
  out += fmt::format("\n[log]\naccess = {}\n", access_text(options.access_log_every));
  out += fmt::format("\n[telemetry]\notlp = {}\nservice = {}\n",
                     quote_string(options.telemetry.otlp), quote_string(options.telemetry.service));
  append_numbers(out, kTelemetryKeys, options.telemetry);
  out += "\n[shutdown]\n";
  append_numbers(out, kShutdownKeys, options);
  out += "\n[reload]\n";
  append_numbers(out, kReloadKeys, options);
  for (const auto& [name, source] : options.secrets) {
    const bool is_file = !source.file.empty();
    out += fmt::format("\n[secrets.{}]\n{} = {}\n", quote_key(name), is_file ? "file" : "env",
                       quote_string(is_file ? source.file : source.env));
  }
  for (const upstream::UpstreamOptions& upstream : options.upstreams) {
    const auto as_is = [](const std::string& text) { return text; };
    std::vector<std::string> urls = upstream.further_urls;
    urls.insert(urls.begin(), upstream.url);
    out += fmt::format("\n[upstreams.{}]\nurl = {}\nresolve = {}\nheaders = {}\n",
                       quote_key(upstream.name),
                       urls.size() > 1 ? array_of(urls, as_is) : quote_string(upstream.url),
                       upstream.resolves, fields_text(upstream.headers, as_is));
    out += fmt::format("http = {}\nredirects = {}\n",
                       quote_string(kHttpVersions[static_cast<size_t>(upstream.http)]),
                       quote_string(kRedirects[upstream.follows_redirects]));
    append_numbers(out, kUpstreamsKeys, upstream);
    out +=
        fmt::format("tls_ca_file = {}\ntls_certificate_file = {}\ntls_key_file = {}\n",
                    quote_string(upstream.tls_ca_file), quote_string(upstream.tls_certificate_file),
                    quote_string(upstream.tls_key_file));
    out += fmt::format("idempotent = {}\nbreaker = {}\nhedge = {}\ncoalesce = {}\ncache = {}\n",
                       upstream.is_idempotent, upstream.has_breaker, hedge_text(upstream.hedge),
                       upstream.coalesce, cache_text(upstream.cache));
  }
  for (const ipc::HandlerSpec& handler : options.handlers) {
    out += fmt::format("\n[handlers.{}]\n", quote_key(handler.name));
    const auto is_python = [](const auto& option) { return option.first == "python"; };
    if (std::ranges::none_of(handler.options, is_python))
      out += fmt::format("library = {}\n", quote_string(handler.library));
    out += fmt::format("batch = {}\n", handler.batch);
    for (const auto& [key, value] : handler.options) {
      out += fmt::format("{} = {}\n", quote_key(key), quote_string(value));
    }
  }
  for (const Method& method : options.methods)
    append_method(out, options, method);
  return out;
}

}  // namespace ringmaster::config
