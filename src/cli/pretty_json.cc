#include "cli/pretty_json.h"

#include <rapidjson/memorystream.h>
#include <rapidjson/prettywriter.h>
#include <rapidjson/reader.h>
#include <rapidjson/stringbuffer.h>

namespace ringmaster::cli {

std::string pretty_json(std::string_view json) {
  rapidjson::MemoryStream text(json.data(), json.size());
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
  writer.SetIndent(' ', 2);
  rapidjson::Reader reader;
  // The reader refuses a lone surrogate, for example, which our server does not write.
  if (!reader.Parse<rapidjson::kParseFullPrecisionFlag>(text, writer)) return std::string(json);
  return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace ringmaster::cli
