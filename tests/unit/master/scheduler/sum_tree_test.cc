#include "master/scheduler/sum_tree.h"

#include <doctest/doctest.h>
#include <map>
#include <random>
#include <vector>

namespace ringmaster::master {
namespace {

struct Item {
  SumNode<Item> node;
};
using Tree = SumTree<Item, &Item::node>;

}  // namespace

TEST_CASE("sum tree: equal keys keep the order of insertion") {
  Tree tree;
  Item first, second;
  tree.insert(first, 5, 1);
  tree.insert(second, 5, 2);
  CHECK(&tree.front() == &first);
  tree.erase(first);
  CHECK(&tree.front() == &second);
  CHECK(tree.total() == 2);
}

TEST_CASE("sum tree: sums and order are those of a sorted list, whatever is done") {
  std::mt19937_64 random(1);
  std::vector<Item> items(200);
  std::map<std::pair<int64_t, uint64_t>, std::pair<Item*, int64_t>> model;
  std::vector<std::pair<int64_t, uint64_t>> places(items.size());
  Tree tree;
  uint64_t insertions = 0;
  for (int step = 0; step < 20'000; ++step) {
    const size_t index = random() % items.size();
    Item& item = items[index];
    const int64_t value = static_cast<int64_t>(random() % 1000);
    if (!item.node.is_placed) {
      places[index] = {static_cast<int64_t>(random() % 50), ++insertions};
      tree.insert(item, places[index].first, value);
      model[places[index]] = {&item, value};
    } else if (random() % 2 == 0) {
      tree.set_value(item, value);
      model[places[index]].second = value;
    } else {
      tree.erase(item);
      model.erase(places[index]);
    }
    const int64_t key = static_cast<int64_t>(random() % 50);
    int64_t up_to = 0;
    int64_t total = 0;
    for (const auto& [place, entry] : model) {
      total += entry.second;
      if (place.first <= key) up_to += entry.second;
    }
    REQUIRE(tree.total() == total);
    REQUIRE(tree.sum_up_to(key) == up_to);
    REQUIRE(tree.empty() == model.empty());
    if (!model.empty()) REQUIRE(&tree.front() == model.begin()->second.first);
  }
}

}  // namespace ringmaster::master
