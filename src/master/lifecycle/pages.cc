#include "master/lifecycle/pages.h"

#include <charconv>
#include <utility>

#include "base/clock.h"
#include "master/admin/metrics_page.h"
#include "master/admin/page_files.h"
#include "master/admin/plain_page.h"
#include "master/admin/requests_json.h"
#include "master/admin/status_json.h"
#include "master/admin/trace_json.h"

namespace ringmaster::master {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr uint64_t kKeptMs = 100;
constexpr uint64_t kProfileKeptMs = 1000;

// The number in "since=NUMBER"; 0: there is none.
uint64_t since_in(std::string_view query) {
  constexpr std::string_view kName = "since=";
  uint64_t since = 0;
  if (query.starts_with(kName)) {
    std::from_chars(query.data() + kName.size(), query.data() + query.size(), since);
  }
  return since;
}

std::string trace_of(const PageSources& sources) {
  return recent_trace_json(sources.recorder, now_ns(), sources.state().workers_wanted) + '\n';
}

}  // namespace

Pages make_pages(PageSources sources) {
  Pages pages;
  for (const PageFile& file : page_files()) {
    pages[std::string(file.path)] = {[file](const PageRequest&) {
      return PageAnswer{200, std::string(file.text), file.type, kPagePolicy};
    }};
  }
  pages["/"] = {
      [sources, html = pages["/"].answer](const PageRequest& request) -> std::optional<PageAnswer> {
        if (request.wants_html) return html(request);
        return PageAnswer{200, plain_page(sources.state(), sources.recorder)};
      },
      kKeptMs};
  pages["/livez"] = {[](const PageRequest&) { return PageAnswer{.text = "ok\n"}; }};
  pages["/readyz"] = {[sources](const PageRequest&) {
    const Health health = sources.health();
    return PageAnswer{health.is_ready ? 200u : 503u, health.text + '\n'};
  }};
  pages["/agent"] = {
      [sources](const PageRequest&) { return PageAnswer{.text = sources.agent() + '\n'}; }};
  pages["/reloads"] = {[sources](const PageRequest&) {
    return PageAnswer{200, sources.reloads() + '\n', kJson};
  }};
  pages["/metrics"] = {[sources](const PageRequest&) {
                         return PageAnswer{200, metrics_text(sources.state(), sources.recorder),
                                           "text/plain; version=0.0.4; charset=utf-8"};
                       },
                       kKeptMs};
  pages["/status.json"] = {
      [sources](const PageRequest&) {
        return PageAnswer{200, status_json(sources.state(), sources.recorder) + '\n', kJson};
      },
      kKeptMs};
  pages["/requests.json"] = {
      [sources](const PageRequest& request) {
        return PageAnswer{
            200, recent_requests_json(sources.recorder, since_in(request.query), now_ns()) + '\n',
            kJson};
      },
      kKeptMs, true, true};
  pages["/kept.json"] = {
      [sources](const PageRequest&) {
        return PageAnswer{200, kept_requests_json(sources.recorder, now_ns()) + '\n', kJson};
      },
      kKeptMs, false, true};
  const auto add_profile = [&](const char* path, Deployment::ProfileForm form,
                               std::string_view type) {
    pages[path] = {[sources, form, type](const PageRequest& request) -> std::optional<PageAnswer> {
                     const std::optional<std::string> text = sources.profile(form, request.is_late);
                     if (!text) return std::nullopt;
                     return PageAnswer{200, *text + (type == kJson ? "\n" : ""), type};
                   },
                   kProfileKeptMs};
  };
  add_profile("/profile", Deployment::ProfileForm::kJson, kJson);
  add_profile("/profile.txt", Deployment::ProfileForm::kText, PageAnswer().type);
  add_profile("/profile.folded", Deployment::ProfileForm::kFolded, PageAnswer().type);
  pages["/trace.json"] = {[sources](const PageRequest&) {
                            return PageAnswer{200, trace_of(sources), kJson};
                          },
                          kKeptMs, false, true};
  pages["/kept_trace.json"] = {
      [sources](const PageRequest&) {
        return PageAnswer{200, kept_trace_json(sources.recorder, now_ns()) + '\n', kJson};
      },
      kKeptMs, false, true};
  return pages;
}

}  // namespace ringmaster::master
