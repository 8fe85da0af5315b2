#include "upstream/redirect.h"

#include <algorithm>
#include <curl/curl.h>
#include <fmt/format.h>
#include <memory>
#include <optional>

#include "base/ascii.h"

namespace ringmaster::upstream {
namespace {

constexpr size_t kOriginBytesShown = 200;

// Scheme, host and port of a URL; nothing: `url` is none.
std::optional<std::string> origin_of(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), curl_url_cleanup);
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return {};
  const auto part = [&](CURLUPart which) {
    char* text = nullptr;
    const bool is_there = curl_url_get(parsed.get(), which, &text, CURLU_DEFAULT_PORT) == CURLUE_OK;
    std::string copy = is_there ? text : "";
    curl_free(text);
    return copy;
  };
  return to_lower(fmt::format("{}://{}:{}", part(CURLUPART_SCHEME), part(CURLUPART_HOST),
                              part(CURLUPART_PORT)));
}

// Where the path of an absolute URL begins, or what is there instead of one.
size_t path_begin(std::string_view url) {
  const size_t scheme_end = url.find("://");
  return scheme_end == std::string_view::npos
             ? url.size()
             : std::min(url.find_first_of("/?#", scheme_end + 3), url.size());
}

}  // namespace

bool is_redirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

tl::expected<Redirect, std::string> read_redirect(std::string_view from, const std::string& to,
                                                  long status, std::string_view method) {
  const std::optional<std::string> origin = origin_of(to);
  if (!origin) return tl::unexpected<std::string>("a redirect whose Location is no URL");
  if (origin != origin_of(std::string(from))) {
    return tl::unexpected(
        fmt::format("a redirect to another origin, {}; set url to where the service is",
                    origin->substr(0, kOriginBytesShown)));
  }
  if (method == "POST" && (status == 301 || status == 302)) {
    return tl::unexpected<std::string>(
        "a redirect that loses the body of a POST (307 and 308 keep it)");
  }
  // The text of our own URL, with its credentials. So the fetch stays there, whatever `to` says.
  const std::string_view path = std::string_view(to).substr(path_begin(to));
  const std::string_view slash = path.starts_with('/') ? "" : "/";
  return Redirect{fmt::format("{}{}{}", from.substr(0, path_begin(from)), slash,
                              path.substr(0, path.find('#'))),
                  status == 303};
}

}  // namespace ringmaster::upstream
