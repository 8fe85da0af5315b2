#include "master/deployment/openrpc.h"

#include <doctest/doctest.h>
#include <rapidjson/document.h>
#include <rapidjson/pointer.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "request_support.h"

namespace ringmaster::master {
namespace {

const std::string kHandler =
    R"({"summary":"Does it.","paramStructure":"by-position",)"
    R"("params":[{"name":"a","schema":{"type":"integer"}},{"name":"b","schema":{}}],)"
    R"("result":{"name":"sum","schema":{"type":"integer"}},)"
    R"("examples":[{"name":"of a","params":[{"name":"a","value":1}],)"
    R"("result":{"name":"sum","value":1}}]})";

class Page {
 public:
  // A method of these steps, with one handler that has this description and one that has none.
  explicit Page(std::vector<Step> steps, const std::string& description = kHandler) {
    options_.handlers = {{"says"}, {"silent"}};
    options_.upstreams.resize(1);
    options_.methods = {{"m", "", 1000, 2, std::move(steps)}};
    document_.Parse(make_openrpc(options_, {description, ""}, {"127.0.0.1:7070"}));
    REQUIRE(!document_.HasParseError());
  }

  // The value at this place, as JSON; "none": there is no value.
  std::string at(const std::string& pointer) const {
    const rapidjson::Value* value = rapidjson::Pointer(pointer).Get(document_);
    if (value == nullptr) return "none";
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
    value->Accept(writer);
    return buffer.GetString();
  }
  std::string of_method(const std::string& pointer) const { return at("/methods/0" + pointer); }

 private:
  Options options_;
  rapidjson::Document document_;
};

const Step kSays = RunStep{0, 1, "says"};
const Step kSilent = RunStep{1, 1, "silent"};

Step fetch(const char* body) {
  return FetchStep{0, test::with_body(body)};
}

}  // namespace

TEST_CASE(
    "openrpc: a method has what its handler says, and nothing is made up where it is silent") {
  const Page says({kSays});
  CHECK(says.at("/openrpc") == "\"1.2.6\"");
  CHECK(says.at("/servers/0/url") == "\"http://127.0.0.1:7070/\"");
  CHECK(says.of_method("/name") == "\"m\"");
  CHECK(says.of_method("/summary") == "\"Does it.\"");
  CHECK(says.of_method("/paramStructure") == "\"by-position\"");
  CHECK(says.of_method("/params/0") == R"({"name":"a","schema":{"type":"integer"}})");
  CHECK(says.of_method("/result/name") == "\"sum\"");
  CHECK(says.of_method("/examples/0/name") == "\"of a\"");
  const Page silent({kSilent});
  CHECK(silent.of_method("/summary") == "none");
  CHECK(silent.of_method("/paramStructure") == "\"either\"");
  CHECK(silent.of_method("/params") == "[]");
  CHECK(silent.of_method("/result") == R"({"name":"result","schema":{}})");
  CHECK(silent.of_method("/examples") == "none");
}

TEST_CASE("openrpc: the params of a fetch step are required, by name, and stand first") {
  const Page page(
      {fetch(R"({"x":"${params.b}","y":["${params.user.id}","${params.user.zone}"]})"), kSays});
  CHECK(page.of_method("/paramStructure") == "\"by-name\"");
  CHECK(page.of_method("/params") ==
        R"([{"name":"b","schema":{},"required":true},{"name":"user","required":true,"schema":{}},)"
        R"({"name":"a","schema":{"type":"integer"}}])");
  CHECK(page.of_method("/result/name") == "\"sum\"");
  CHECK(page.of_method("/examples") == "none");  // the example lacks the fetch's params
  const Page fits({fetch(R"({"x":"${params.a}"})"), kSays});
  CHECK(fits.of_method("/examples/0/name") == "\"of a\"");
  const Page alone({fetch("{}")});
  CHECK(alone.of_method("/params") == "[]");
  CHECK(alone.of_method("/paramStructure") == "\"either\"");
}

TEST_CASE("openrpc: a param is optional if each place in a fetch step has a default for it") {
  const Page page({fetch(R"({"x":"${params.c:1}","y":"${params.d:1} ${params.d.e}"})"), kSays});
  CHECK(page.of_method("/paramStructure") == "\"by-name\"");
  CHECK(page.of_method("/params") == R"([{"name":"d","required":true,"schema":{}},)"
                                     R"({"name":"a","schema":{"type":"integer"}},)"
                                     R"({"name":"b","schema":{}},{"name":"c","schema":{}}])");
  CHECK(page.of_method("/examples") == "none");
  CHECK(Page({fetch(R"(["${params.b:1}"])"), kSays}).of_method("/params/1") ==
        R"({"name":"b","schema":{}})");
  CHECK(Page({fetch(R"(["${params.c:1}"])"), kSays}).of_method("/examples/0/name") == "\"of a\"");
}

TEST_CASE("openrpc: a param that an earlier step fills is left out, unless a fetch step uses it") {
  const std::string takes =
      R"({"params":[{"name":"silent","required":true,"schema":{}},)"
      R"({"name":"a","required":true,"schema":{}},{"name":"b","schema":{}}]})";
  const Page page({kSilent, kSays}, takes);
  CHECK(page.of_method("/params") ==
        R"([{"name":"a","required":true,"schema":{}},{"name":"b","schema":{}}])");
  CHECK(page.of_method("/paramStructure") == "\"by-name\"");
  const Page later({kSays, kSilent}, takes);
  CHECK(later.of_method("/params/0/name") == "\"silent\"");
  CHECK(later.of_method("/paramStructure") == "\"either\"");
  const Page fetched({fetch(R"({"x":"${params.silent}"})"), kSilent, kSays}, takes);
  CHECK(fetched.of_method("/params/1/name") == "\"silent\"");
  const std::string by_position =
      R"({"paramStructure":"by-position","params":[{"name":"silent","schema":{}}]})";
  CHECK(Page({kSilent, kSays}, by_position).of_method("/params/0/name") == "\"silent\"");
}

TEST_CASE("openrpc: params are the first declared ones, the result is the last step's") {
  const Page later({kSilent, kSays});
  CHECK(later.of_method("/params/0/name") == "\"a\"");
  CHECK(later.of_method("/result/name") == "\"sum\"");
  CHECK(later.of_method("/examples") == "none");  // an example is of one handler alone
  const Page earlier({kSays, kSilent});
  CHECK(earlier.of_method("/params/0/name") == "\"a\"");
  CHECK(earlier.of_method("/summary") == "none");
  CHECK(earlier.of_method("/result/name") == "\"result\"");
  CHECK(Page({kSays, fetch("{}")}).of_method("/result/name") == "\"result\"");
}

TEST_CASE("openrpc: a method's errors are those that its steps can cause, defined once") {
  const auto has = [](const Page& page, const char* name) {
    const std::string reference = std::string("#/components/errors/") + name;
    CHECK(page.at(reference.substr(1) + "/code").starts_with("-32"));
    return page.of_method("/errors").find('"' + reference + '"') != std::string::npos;
  };
  CHECK(has(Page({kSays}), "overloaded"));
  CHECK(has(Page({kSays}), "worker_died"));
  CHECK(!has(Page({kSays}), "upstream_failed"));
  CHECK(has(Page({fetch("{}")}), "upstream_failed"));
  CHECK(!has(Page({fetch("{}")}), "worker_died"));
}

TEST_CASE("openrpc: methods by name, the configuration's summaries, TCP addresses first") {
  Options options;
  options.handlers = {{"says"}};
  options.methods = {{"b", "Ours: \"b\".", 1, 1, {kSays}}, {"a.c", "", 1, 1, {kSays}}};
  const std::string text = make_openrpc(
      options, {kHandler},
      {"tls://unix:/run/y.sock", "unix:/run/x.sock", "[::1]:7070", "tls://10.0.0.1:80"});
  rapidjson::Document document;
  document.Parse(text);
  REQUIRE(!document.HasParseError());
  CHECK(text.find('\n') == std::string::npos);
  CHECK(text.find("errors/unauthorized") == std::string::npos);
  options.token_file = "/tokens";
  CHECK(make_openrpc(options, {kHandler}, {}).find("errors/unauthorized") != std::string::npos);
  CHECK(document["methods"][0]["name"] == "a.c");
  CHECK(document["methods"][0]["summary"] == "Does it.");
  CHECK(document["methods"][1]["summary"] == "Ours: \"b\".");
  CHECK(document["servers"][0]["url"] == "http://[::1]:7070/");
  CHECK(document["servers"][1]["url"] == "https://10.0.0.1:80/");
  CHECK(document["servers"][2]["url"] == "tls://unix:/run/y.sock");
  CHECK(document["servers"][3]["url"] == "unix:/run/x.sock");
}

TEST_CASE("openrpc: an invalid description is left out, and the rest stays") {
  for (const std::string& text :
       {std::string("{"), std::string("[]"), std::string("17"), std::string(R"({"params":{}})"),
        std::string(R"({"params":[1,{"name":2}],"result":[],"examples":[1,{"params":[3]}]})"),
        std::string(R"({"summary":"\ud800"})"), std::string("\xff"), std::string(100'000, '['),
        std::string(R"({"examples":[{"params":[],"result":1}]})")}) {
    CAPTURE(text.substr(0, 60));
    const Page page({kSays}, text);
    CHECK(page.of_method("/result/name") == "\"result\"");
    const Page fetched({fetch(R"({"x":"${params.name}"})"), kSays}, text);
    CHECK(fetched.of_method("/params").find("\"name\":\"name\"") != std::string::npos);
  }
}

}  // namespace ringmaster::master
