#include "master/pipeline/fetch_values.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/json/scan.h"

namespace ringmaster::master {

using upstream::Reference;
using Source = Reference::Source;

namespace {

std::string quoted_or_none(std::string_view text) {
  return text.empty() ? "" : json::quote(text);
}

}  // namespace

FetchValues::FetchValues(const Job& job, size_t step, const ipc::PayloadStore& store,
                         std::string_view traceparent)
    : job_(job),
      step_(step),
      store_(store),
      references_(std::get<FetchStep>(job.method->steps[step]).request.references()),
      traceparent_(quoted_or_none(traceparent)),
      client_(quoted_or_none(request_of(store, job).client)),
      values_(references_.size()) {
  size_t param = first_param();
  bool has_outputs = false;
  for (size_t i = 0; i < references_.size(); ++i) {
    const Reference& reference = references_[i];
    switch (reference.source) {
      case Source::kParams:
        values_[i] = reference.path.empty() ? json::trimmed(output_of(0)) : job.found[param];
        ++param;
        break;
      case Source::kStep:
        has_outputs = true;
        break;
      case Source::kRequest:
        values_[i] =
            reference.path == "id" ? request_of(store, job).id : std::string_view(traceparent_);
        break;
      case Source::kClient:
        values_[i] = client_;
        break;
      case Source::kSecret:
        break;  // the secret's text is the reference's default
    }
  }
  if (has_outputs) find_in_outputs();
}

size_t FetchValues::first_param() const {
  size_t first = 0;
  for (size_t i = 0; i < step_; ++i) {
    const auto* earlier = std::get_if<FetchStep>(&job_.method->steps[i]);
    if (earlier != nullptr) first += earlier->request.params_paths().size();
  }
  return first;
}

// Output 0 is the params, output N that of step N - 1.
std::string_view FetchValues::output_of(size_t output) const {
  return text_of(store_, job_.products[output]);
}

// Each output is read once.
void FetchValues::find_in_outputs() {
  for (size_t step = 0; step < step_; ++step) {
    std::vector<std::string> paths;
    std::vector<size_t> places;
    for (size_t i = 0; i < references_.size(); ++i) {
      if (references_[i].source != Source::kStep || references_[i].step != step) continue;
      paths.push_back(references_[i].path);
      places.push_back(i);
    }
    if (paths.empty()) continue;
    const std::string_view output = output_of(step + 1);
    std::vector<std::string_view> found(paths.size());
    json::find_members(output, paths, found);
    const bool has_whole = std::ranges::find(paths, "") != paths.end();
    const std::string_view whole =
        has_whole && !json::find_fault(output) ? json::trimmed(output) : std::string_view();
    for (size_t i = 0; i < paths.size(); ++i)
      values_[places[i]] = paths[i].empty() ? whole : found[i];
  }
}

rpc::Error FetchValues::error_of_whole(const std::string& expected) const {
  const bool has_outputs =
      std::ranges::find(references_, Source::kStep, &Reference::source) != references_.end();
  return rpc::make_error(has_outputs ? rpc::kUpstreamFailed : rpc::kInvalidParams,
                         has_outputs ? "invalid_member" : "invalid_parameter",
                         fmt::format("the request of step {}: expected {}",
                                     name_of(job_.method->steps[step_]), expected));
}

rpc::Error FetchValues::error(const upstream::Template::Fault& fault) const {
  if (!fault.reference) return error_of_whole(fault.message);
  const Reference& reference = references_[*fault.reference];
  if (reference.source != Source::kStep) {
    const std::string_view name = reference.source == Source::kParams && !reference.path.empty()
                                      ? reference.path
                                      : reference.name;
    if (fault.is_missing) {
      return rpc::make_error(rpc::kInvalidParams, "missing_parameter",
                             fmt::format("expected the parameter {}, found none", name));
    }
    return rpc::make_error(rpc::kInvalidParams, "invalid_parameter",
                           fmt::format("parameter {}: expected {}", name, fault.message));
  }
  const std::string& step = name_of(job_.method->steps[reference.step]);
  const std::string where = reference.path.empty() ? "its output" : reference.path;
  if (const auto no_json = json::find_fault(output_of(reference.step + 1))) {
    return rpc::make_error(rpc::kUpstreamFailed, "invalid_body",
                           fmt::format("step {}: expected JSON: {}", step, *no_json));
  }
  if (fault.is_missing) {
    return rpc::make_error(
        rpc::kUpstreamFailed, "missing_member",
        fmt::format("step {}: expected {} in its output, found none", step, reference.path));
  }
  return rpc::make_error(rpc::kUpstreamFailed, "invalid_member",
                         fmt::format("step {}: {}: expected {}", step, where, fault.message));
}

}  // namespace ringmaster::master
