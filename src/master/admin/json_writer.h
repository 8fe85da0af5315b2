// JsonWriter: writes one JSON value, member by member. Bytes that are not UTF-8 become
// U+FFFD, so that the name of a client cannot make an answer unreadable.
#pragma once

#include <algorithm>
#include <concepts>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <string>
#include <string_view>

#include "base/json/scan.h"

namespace ringmaster::master {

inline double ms(uint64_t ns) {
  return static_cast<double>(ns) / 1e6;
}

class JsonWriter {
 public:
  JsonWriter() { writer_.SetMaxDecimalPlaces(6); }

  void begin_object() { writer_.StartObject(); }
  void begin_object(std::string_view key) {
    text(key);
    writer_.StartObject();
  }
  void end_object() { writer_.EndObject(); }
  void begin_array(std::string_view key) {
    text(key);
    writer_.StartArray();
  }
  void end_array() { writer_.EndArray(); }

  template <class Value>
  void member(std::string_view key, const Value& value) {
    text(key);
    element(value);
  }
  void element(std::string_view value) { text(value); }
  void element(const char* value) { text(value); }  // else a literal would be a bool
  void element(bool value) { writer_.Bool(value); }
  void element(double value) { writer_.Double(value); }
  template <std::unsigned_integral Number>
  void element(Number value) {
    writer_.Uint64(value);
  }
  template <std::signed_integral Number>
  void element(Number value) {
    writer_.Int64(value);
  }

  std::string take() const { return {buffer_.GetString(), buffer_.GetSize()}; }

 private:
  void text(std::string_view value) {
    // Nearly all texts are ASCII, which RapidJSON writes by itself, in a third of the time.
    if (std::ranges::all_of(value, [](char c) { return c >= 0; })) {
      writer_.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
      return;
    }
    const std::string quoted = json::quote(value);
    writer_.RawValue(quoted.data(), quoted.size(), rapidjson::kStringType);
  }

  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> writer_{buffer_};
};

}  // namespace ringmaster::master
