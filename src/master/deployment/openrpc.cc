#include "master/deployment/openrpc.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/json/scan.h"
#include "base/json/value.h"
#include "base/version.h"
#include "master/deployment/openrpc_errors.h"

namespace ringmaster::master {
namespace {

using json::text_of;
using rapidjson::Document;
using rapidjson::SizeType;
using rapidjson::Value;

Value text(std::string_view text, Document::AllocatorType& allocator) {
  return Value(text.data(), static_cast<SizeType>(text.size()), allocator);
}

// The member with this name and type; null: there is none.
const Value* find(const Value& object, const char* name, rapidjson::Type type) {
  if (!object.IsObject()) return nullptr;
  const auto found = object.FindMember(name);
  return found != object.MemberEnd() && found->value.GetType() == type ? &found->value : nullptr;
}

bool is_named(const Value& value, std::string_view name) {
  const Value* found = find(value, "name", rapidjson::kStringType);
  return found != nullptr && text_of(*found) == name;
}

bool has_name(const Value& values, std::string_view name) {
  return std::any_of(values.Begin(), values.End(),
                     [&](const Value& value) { return is_named(value, name); });
}

bool is_by_position(const Value& description) {
  const Value* structure = find(description, "paramStructure", rapidjson::kStringType);
  return structure != nullptr && text_of(*structure) == "by-position";
}

// A param that fetch steps use.
struct FetchParam {
  std::string name;
  bool is_required;  // some step has no default for it
};

// The params that a method's fetch steps use: the first part of each dotted name, once.
std::vector<FetchParam> fetch_params(const Method& method) {
  std::vector<FetchParam> params;
  for (const Step& step : method.steps) {
    const auto* fetch = std::get_if<FetchStep>(&step);
    if (fetch == nullptr) continue;
    for (const upstream::Reference& reference : fetch->request.references()) {
      const bool is_param = reference.source == upstream::Reference::Source::kParams;
      if (!is_param || reference.path.empty()) continue;
      std::string name = reference.path.substr(0, reference.path.find('.'));
      auto param = std::ranges::find(params, name, &FetchParam::name);
      if (param == params.end()) param = params.insert(param, {std::move(name), false});
      param->is_required = param->is_required || reference.fallback.empty();
    }
  }
  return params;
}

class Builder {
 public:
  Builder(const Options& options, const std::vector<std::string>& descriptions);

  std::string build(const std::vector<std::string>& addresses);

 private:
  Value method(const Method& method);
  Value params(const Method& method, const std::vector<FetchParam>& fetched);
  void leave_out_filled(Value& params, const Method& method, const Value& declaring) const;
  Value result(const Method& method) const;
  Value examples(const Method& method, const std::vector<FetchParam>& fetched) const;
  Value servers(const std::vector<std::string>& addresses) const;
  // The description of the method's first handler that declares params; null: no handler does.
  const Value* find_declaring(const Method& method) const;
  // The description of the last step's handler; null: there is none.
  const Value* find_last(const Method& method) const;
  Value copy(const Value& value) const { return Value(value, allocator_); }

  const Options& options_;
  std::vector<Document> descriptions_;  // null: there is none
  Document document_;
  Document::AllocatorType& allocator_ = document_.GetAllocator();
};

Builder::Builder(const Options& options, const std::vector<std::string>& descriptions)
    : options_(options) {
  for (const std::string& description : descriptions) {
    Document& parsed = descriptions_.emplace_back();
    if (!description.empty() && !json::find_fault(description)) parsed.Parse(description);
    if (parsed.HasParseError()) parsed.SetNull();
  }
}

const Value* Builder::find_declaring(const Method& method) const {
  for (const Step& step : method.steps) {
    if (!is_run(step)) continue;
    const Value& says = descriptions_[std::get<RunStep>(step).handler];
    const Value* params = find(says, "params", rapidjson::kArrayType);
    if (params != nullptr && !params->Empty()) return &says;
  }
  return nullptr;
}

const Value* Builder::find_last(const Method& method) const {
  const auto* last = std::get_if<RunStep>(&method.steps.back());
  return last == nullptr ? nullptr : &descriptions_[last->handler];
}

// Removes the params that earlier steps fill: clients need not send them.
void Builder::leave_out_filled(Value& params, const Method& method, const Value& declaring) const {
  for (const Step& step : method.steps) {
    const auto* run = std::get_if<RunStep>(&step);
    if (run != nullptr && &descriptions_[run->handler] == &declaring) return;
    const std::string& name = name_of(step);
    const auto filled = std::find_if(params.Begin(), params.End(),
                                     [&](const Value& param) { return is_named(param, name); });
    if (filled != params.End()) params.Erase(filled);
  }
}

Value Builder::params(const Method& method, const std::vector<FetchParam>& fetched) {
  Value all(rapidjson::kArrayType);
  if (const Value* declaring = find_declaring(method)) {
    all = copy((*declaring)["params"]);
    if (!is_by_position(*declaring)) leave_out_filled(all, method, *declaring);
  }
  for (Value& param : all.GetArray()) {
    if (!param.IsObject()) continue;
    const bool is_required = std::ranges::any_of(fetched, [&](const FetchParam& one) {
      return one.is_required && is_named(param, one.name);
    });
    if (!is_required) continue;
    param.RemoveMember("required");
    param.AddMember("required", true, allocator_);
  }
  for (const auto& [name, is_required] : fetched) {
    if (has_name(all, name)) continue;
    Value param(rapidjson::kObjectType);
    param.AddMember("name", text(name, allocator_), allocator_);
    if (is_required) param.AddMember("required", true, allocator_);
    param.AddMember("schema", Value(rapidjson::kObjectType), allocator_);
    all.PushBack(param, allocator_);
  }
  std::stable_partition(all.Begin(), all.End(), [](const Value& param) {
    return find(param, "required", rapidjson::kTrueType) != nullptr;
  });
  return all;
}

Value Builder::result(const Method& method) const {
  const Value* last = find_last(method);
  const Value* said = last == nullptr ? nullptr : find(*last, "result", rapidjson::kObjectType);
  if (said != nullptr) return copy(*said);
  Value result(rapidjson::kObjectType);
  result.AddMember("name", "result", allocator_);
  result.AddMember("schema", Value(rapidjson::kObjectType), allocator_);
  return result;
}

Value Builder::examples(const Method& method, const std::vector<FetchParam>& fetched) const {
  Value shown(rapidjson::kArrayType);
  const Value* last = find_last(method);
  const bool is_only_one = std::ranges::count_if(method.steps, is_run) == 1;
  if (last == nullptr || !is_only_one) return shown;
  const Value* said = find(*last, "examples", rapidjson::kArrayType);
  if (said == nullptr) return shown;
  for (const Value& example : said->GetArray()) {
    const Value* params = find(example, "params", rapidjson::kArrayType);
    if (params == nullptr) continue;
    const bool has_all = std::ranges::all_of(fetched, [&](const FetchParam& one) {
      return !one.is_required || has_name(*params, one.name);
    });
    if (has_all) shown.PushBack(copy(example), allocator_);
  }
  return shown;
}

Value Builder::method(const Method& method) {
  const std::vector<FetchParam> fetched = fetch_params(method);
  const Value* declaring = find_declaring(method);
  const Value* last = find_last(method);
  Value made(rapidjson::kObjectType);
  made.AddMember("name", text(method.name, allocator_), allocator_);
  if (!method.summary.empty()) {
    made.AddMember("summary", text(method.summary, allocator_), allocator_);
  }
  for (const char* member : {"summary", "description"}) {
    const Value* said = last == nullptr ? nullptr : find(*last, member, rapidjson::kStringType);
    if (said == nullptr || made.HasMember(member)) continue;
    made.AddMember(rapidjson::StringRef(member), copy(*said), allocator_);
  }
  const Value* structure =
      declaring == nullptr ? nullptr : find(*declaring, "paramStructure", rapidjson::kStringType);
  Value all = params(method, fetched);
  // Not by position: fetch steps look params up by name, and the params that were left out would
  // have positions, too.
  const bool is_by_name =
      !fetched.empty() || (declaring != nullptr && all.Size() < (*declaring)["params"].Size());
  const std::string_view how = is_by_name             ? "by-name"
                               : structure == nullptr ? "either"
                                                      : text_of(*structure);
  made.AddMember("paramStructure", text(how, allocator_), allocator_);
  made.AddMember("params", all, allocator_);
  made.AddMember("result", result(method), allocator_);
  made.AddMember("errors", errors_of(method, !options_.token_file.empty(), allocator_), allocator_);
  Value shown = examples(method, fetched);
  if (!shown.Empty()) made.AddMember("examples", shown, allocator_);
  return made;
}

// Unix sockets come last: tools use the first server, over HTTP.
Value Builder::servers(const std::vector<std::string>& addresses) const {
  Value servers(rapidjson::kArrayType);
  for (const bool is_unix : {false, true}) {
    for (const std::string& address : addresses) {
      if (net::is_unix(address) != is_unix) continue;
      const std::string scheme = net::is_tls(address) ? "https://" : "http://";
      const std::string url = is_unix ? address : scheme + net::without_tls(address) + "/";
      Value server(rapidjson::kObjectType);
      server.AddMember("name", text(address, allocator_), allocator_);
      server.AddMember("url", text(url, allocator_), allocator_);
      servers.PushBack(server, allocator_);
    }
  }
  return servers;
}

std::string Builder::build(const std::vector<std::string>& addresses) {
  Value info(rapidjson::kObjectType);
  info.AddMember("title", "ringmaster", allocator_);
  info.AddMember("version", text(kVersion, allocator_), allocator_);
  std::vector<const Method*> sorted;
  for (const Method& method : options_.methods)
    sorted.push_back(&method);
  std::ranges::sort(sorted, {}, &Method::name);
  Value methods(rapidjson::kArrayType);
  for (const Method* one : sorted)
    methods.PushBack(method(*one), allocator_);
  document_.SetObject();
  document_.AddMember("openrpc", "1.2.6", allocator_);
  document_.AddMember("info", info, allocator_);
  document_.AddMember("servers", servers(addresses), allocator_);
  document_.AddMember("methods", methods, allocator_);
  Value components(rapidjson::kObjectType);
  components.AddMember("errors", all_errors(allocator_), allocator_);
  document_.AddMember("components", components, allocator_);
  return json::print(document_);
}

}  // namespace

std::string make_openrpc(const Options& options, const std::vector<std::string>& descriptions,
                         const std::vector<std::string>& addresses) {
  return Builder(options, descriptions).build(addresses);
}

}  // namespace ringmaster::master
