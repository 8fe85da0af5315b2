#include "master/admin/reload_record.h"

#include <doctest/doctest.h>

#include "base/json/scan.h"

namespace ringmaster::master {
namespace {

TEST_CASE("reload record: nothing was reloaded yet") {
  CHECK(ReloadRecord().to_json(7, "/x.toml", "starting") ==
        R"({"pid":7,"configuration":"/x.toml","state":"starting","begun":0,"ended":[]})");
}

TEST_CASE("reload record: each reload has a number, a generation, a time and its result") {
  ReloadRecord record;
  record.begin();
  record.end(2, 100, "");
  CHECK(record.failure().empty());
  record.begin();
  record.end(2, 200, "no \"such\" file\n\x01");
  CHECK(record.failure() == "no \"such\" file\n\x01");
  record.begin();
  CHECK(record.to_json(7, "/a \"b\".toml", "reloading") ==
        R"({"pid":7,"configuration":"/a \"b\".toml","state":"reloading","begun":3,"ended":[)"
        R"({"reload":1,"ok":true,"generation":2,"unix_s":100},)"
        R"({"reload":2,"ok":false,"generation":2,"unix_s":200,)"
        R"("reason":"no \"such\" file\n\u0001"}]})");
  record.end(4, 300, "");
  CHECK(record.failure().empty());
}

TEST_CASE("reload record: it is bounded, and keeps the newest") {
  ReloadRecord record;
  const std::string reason(1 << 20, 'x');
  for (int i = 0; i < 20; ++i) {
    record.begin();
    record.end(1, 0, reason + "y");
  }
  CHECK(record.failure().size() == reason.size() + 1);
  const std::string json = record.to_json(1, "", "serving");
  CHECK(json.size() < ReloadRecord::kKept * (ReloadRecord::kReasonBytesMax + 100));
  CHECK(json.find("\"reload\":12,") == std::string::npos);
  CHECK(json.find("\"reload\":13,") != std::string::npos);
  CHECK(json.find("\"reload\":20,") != std::string::npos);
}

TEST_CASE("reload record: a reason that is cut within a character is still JSON") {
  ReloadRecord record;
  record.begin();
  record.end(1, 0, std::string(ReloadRecord::kReasonBytesMax - 1, 'x') + "\u00e9");
  CHECK(!json::find_fault(record.to_json(1, "\xff", "serving")));
}

}  // namespace
}  // namespace ringmaster::master
