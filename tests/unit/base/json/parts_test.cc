#include "base/json/parts.h"

#include <doctest/doctest.h>
#include <string>
#include <vector>

namespace ringmaster::json {
namespace {

// "key=value" of each part, the key as it stands in the text.
std::vector<std::string> list(std::string_view container) {
  Parts parts(container);
  std::vector<std::string> listed;
  while (const auto part = parts.next())
    listed.push_back(std::string(part->key) + '=' + std::string(part->value));
  return listed;
}

using Listed = std::vector<std::string>;

}  // namespace

TEST_CASE("json parts: the members of an object and the elements of an array, in their order") {
  CHECK(list("{}").empty());
  CHECK(list(" [ ] ").empty());
  CHECK(list(R"({"a":1,"b":"x"})") == Listed{R"("a"=1)", R"("b"="x")"});
  CHECK(list(R"([1,-2.5e3,true,null,"",[],{}])") ==
        Listed{"=1", "=-2.5e3", "=true", "=null", "=\"\"", "=[]", "={}"});
  CHECK(list("\t{ \"a\" :\n1 , \"b\":[ 1 ]\r}") == Listed{R"("a"=1)", R"("b"=[ 1 ])"});
  CHECK(Parts(" {}").is_object());
  CHECK(!Parts(" [{}]").is_object());
}

TEST_CASE("json parts: brackets and quotes in strings, and escapes, do not end a value") {
  CHECK(list(R"({"a]}\"":{"b":"}]\\","c":["[","\\\""]},"d":0})") ==
        Listed{R"("a]}\""={"b":"}]\\","c":["[","\\\""]})", R"("d"=0)"});
  const std::string deep = std::string(100, '[') + std::string(100, ']');
  CHECK(list('[' + deep + ",1]") == Listed{'=' + deep, "=1"});
  const std::string longer = '"' + std::string(1000, 'x') + "\\\\\"";
  CHECK(list('[' + longer + ',' + longer + ']') == Listed{'=' + longer, '=' + longer});
}

}  // namespace ringmaster::json
