#include "base/json/kept_job.h"

#include <fmt/format.h>
#include <optional>
#include <rapidjson/document.h>

#include "base/ascii.h"
#include "base/json/scan.h"

namespace ringmaster::json {
namespace {

// Whether `text` can be a member's value in the file.
bool is_value(std::string_view text) {
  const auto nesting = find_nesting(text);
  return nesting && *nesting < kMaxDepth;
}

std::string quote_bytes(std::string_view bytes) {
  std::string quoted = "\"";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain = byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
    is_plain ? quoted += c : quoted += fmt::format("\\u{:04x}", byte);
  }
  return quoted += '"';
}

// The bytes that quote_bytes() has written as `json`. Empty: quote_bytes() never writes such text.
std::optional<std::string> bytes_of(std::string_view json) {
  const auto text = unquote(json);
  if (!text) return std::nullopt;
  std::string bytes;
  for (size_t i = 0; i < text->size(); ++i) {
    const auto c = static_cast<unsigned char>((*text)[i]);
    if (c < 0x80) {
      bytes += static_cast<char>(c);
    } else if ((c == 0xc2 || c == 0xc3) && ++i < text->size()) {
      bytes += static_cast<char>((c & 0x03) << 6 | (static_cast<unsigned char>((*text)[i]) & 0x3f));
    } else {
      return std::nullopt;
    }
  }
  return bytes;
}

std::optional<std::vector<std::string>> texts_of(std::string_view json) {
  rapidjson::Document document;
  document.Parse(json.data(), json.size());
  if (document.HasParseError() || !document.IsArray()) return std::nullopt;
  std::vector<std::string> texts;
  for (const auto& item : document.GetArray()) {
    if (!item.IsString()) return std::nullopt;
    texts.emplace_back(item.GetString(), item.GetStringLength());
  }
  return texts;
}

tl::unexpected<Error> expected(std::string_view what, std::string_view found) {
  constexpr size_t kShownBytesMax = 100;
  return fail(ExitCode::kUsage,
              fmt::format("expected {}, found {}", what,
                          found.empty() ? "none" : found.substr(0, kShownBytesMax)));
}

Status read_outputs(std::string_view text, KeptJob& job) {
  std::vector<std::string> names;
  for (size_t number = 1; number <= job.step; ++number) {
    names.push_back(fmt::format("output_{}", number));
    names.push_back(names.back() + "_bytes");
  }
  std::vector<std::string_view> found(names.size());
  find_members(text, names, found);
  for (size_t i = 0; i < names.size(); i += 2) {
    if (found[i].empty() == found[i + 1].empty()) {
      return expected(fmt::format("either \"{}\" or \"{}\"", names[i], names[i + 1]),
                      found[i].empty() ? "neither" : "both");
    }
    const auto output =
        found[i].empty() ? bytes_of(found[i + 1]) : std::optional<std::string>(found[i]);
    if (!output) {
      return expected(fmt::format("\"{}\" to be a string of characters up to U+00FF", names[i + 1]),
                      found[i + 1]);
    }
    job.outputs.push_back(*output);
  }
  return {};
}

}  // namespace

std::string encode(const KeptJob& job, std::span<const KeptNote> notes) {
  std::string text = "{\n";
  const auto add = [&text](std::string_view name, std::string_view value) {
    text.append("\"").append(name).append("\": ").append(value).append(",\n");
  };
  for (const auto& [name, value] : notes)
    add(name, value);
  add("method", quote(job.method));
  if (!job.id.empty()) add("id", job.id);
  if (!job.traceparent.empty()) add("traceparent", quote(job.traceparent));
  if (!job.params.empty()) add("params", job.params);
  for (size_t i = 0; i < job.outputs.size(); ++i) {
    const std::string& output = job.outputs[i];
    const std::string name = fmt::format("output_{}", i + 1);
    is_value(output) ? add(name, output) : add(name + "_bytes", quote_bytes(output));
  }
  std::vector<std::string> steps;
  for (const std::string& step : job.steps)
    steps.push_back(quote(step));
  add("steps", fmt::format("[{}]", fmt::join(steps, ", ")));
  return text += fmt::format("\"step\": {}\n}}\n", job.step + 1);
}

Result<KeptJob> decode_kept_job(std::string_view text) {
  if (const auto fault = find_fault(text)) {
    return fail(ExitCode::kUsage, "expected a JSON object: " + *fault);
  }
  const std::string paths[] = {"method", "steps", "step", "params", "id", "traceparent"};
  std::string_view found[std::size(paths)];
  find_members(text, paths, found);
  KeptJob job;
  const auto method = unquote(found[0]);
  if (!method) return expected("\"method\", a string", found[0]);
  job.method = *method;
  auto steps = texts_of(found[1]);
  if (!steps || steps->empty()) return expected("\"steps\", an array of names", found[1]);
  job.steps = std::move(*steps);
  const auto step = to_number<size_t>(found[2]);
  if (!step || *step < 1 || *step > job.steps.size()) {
    return expected(fmt::format("\"step\", a number from 1 to {}", job.steps.size()), found[2]);
  }
  job.step = *step - 1;
  job.params = found[3];
  if (!job.params.empty() && job.params[0] != '{' && job.params[0] != '[') {
    return expected("\"params\", an object or array", found[3]);
  }
  job.id = found[4];
  if (!found[5].empty()) {
    const auto traceparent = unquote(found[5]);
    if (!traceparent) return expected("\"traceparent\", a string", found[5]);
    job.traceparent = *traceparent;
  }
  if (Status read = read_outputs(text, job); !read) return tl::unexpected(read.error());
  return job;
}

}  // namespace ringmaster::json
