// SumTree: items in the order of a key, with the sum of their values up to any key.
//
// A treap: a search tree by key that is a heap by pseudo-random priorities, which keeps its depth
// near 2 ln(n). The nodes are members of the items, so no operation allocates.
// Pure; the master only. Memory: an item must outlive its place in the tree.
// Limits:    every operation takes O(log n) on average. The priorities are a fixed sequence: the
//            same calls build the same tree in each run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace ringmaster::master {

template <class Item>
struct SumNode {
  int64_t key = 0;
  uint64_t order = 0;  // among equal keys: the order of insertion
  int64_t value = 0;
  int64_t sum = 0;  // of the values of this subtree
  uint64_t priority = 0;
  Item* left = nullptr;
  Item* right = nullptr;
  bool is_placed = false;
};

template <class Item, SumNode<Item> Item::*kNode>
class SumTree {
 public:
  bool empty() const { return root_ == nullptr; }
  int64_t total() const { return sum(root_); }
  Item* root() const { return root_; }
  static const SumNode<Item>& node(const Item& item) { return item.*kNode; }

  // The item with the smallest key; empty() must be false.
  Item& front() const { return *first_; }
  int64_t front_key() const { return node(*first_).key; }

  void insert(Item& item, int64_t key, int64_t value);
  void erase(Item& item);
  void set_value(Item& item, int64_t value);
  // The sum of the values of the items whose key is at most `key`.
  int64_t sum_up_to(int64_t key) const;

 private:
  using Node = SumNode<Item>;

  static Node& node(Item& item) { return item.*kNode; }
  static int64_t sum(const Item* tree) { return tree == nullptr ? 0 : node(*tree).sum; }
  static bool is_before(const Node& a, const Node& b) {
    return a.key != b.key ? a.key < b.key : a.order < b.order;
  }
  static void add_up(Node& tree) { tree.sum = sum(tree.left) + tree.value + sum(tree.right); }
  static void split(Item* tree, const Node& at, Item*& left, Item*& right);
  static Item* merge(Item* left, Item* right);

  Item* root_ = nullptr;
  Item* first_ = nullptr;
  uint64_t insertions_ = 0;
};

template <class Item, SumNode<Item> Item::*kNode>
void SumTree<Item, kNode>::insert(Item& item, int64_t key, int64_t value) {
  // splitmix64 of the number of insertions.
  uint64_t mixed = ++insertions_ * 0x9e3779b97f4a7c15;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  Node& placed = node(item);
  placed = {key, insertions_, value, value, mixed, nullptr, nullptr, true};
  if (first_ == nullptr || is_before(placed, node(*first_))) first_ = &item;
  Item** link = &root_;
  while (*link != nullptr && node(**link).priority >= placed.priority) {
    Node& parent = node(**link);
    parent.sum += value;
    link = is_before(placed, parent) ? &parent.left : &parent.right;
  }
  split(*link, placed, placed.left, placed.right);
  add_up(placed);
  *link = &item;
}

template <class Item, SumNode<Item> Item::*kNode>
void SumTree<Item, kNode>::erase(Item& item) {
  Node& erased = node(item);
  Item** link = &root_;
  while (*link != &item) {
    Node& parent = node(**link);
    parent.sum -= erased.value;
    link = is_before(erased, parent) ? &parent.left : &parent.right;
  }
  *link = merge(erased.left, erased.right);
  erased = {};
  if (first_ != &item) return;
  first_ = root_;
  while (first_ != nullptr && node(*first_).left != nullptr)
    first_ = node(*first_).left;
}

template <class Item, SumNode<Item> Item::*kNode>
void SumTree<Item, kNode>::set_value(Item& item, int64_t value) {
  Node& changed = node(item);
  const int64_t difference = value - changed.value;
  if (difference == 0) return;
  changed.value = value;
  Item* at = root_;
  while (at != &item) {
    Node& parent = node(*at);
    parent.sum += difference;
    at = is_before(changed, parent) ? parent.left : parent.right;
  }
  changed.sum += difference;
}

template <class Item, SumNode<Item> Item::*kNode>
int64_t SumTree<Item, kNode>::sum_up_to(int64_t key) const {
  int64_t found = 0;
  for (const Item* at = root_; at != nullptr;) {
    const Node& here = node(*at);
    if (here.key > key) {
      at = here.left;
    } else {
      found += sum(here.left) + here.value;
      at = here.right;
    }
  }
  return found;
}

template <class Item, SumNode<Item> Item::*kNode>
void SumTree<Item, kNode>::split(Item* tree, const Node& at, Item*& left, Item*& right) {
  if (tree == nullptr) {
    left = right = nullptr;
    return;
  }
  Node& top = node(*tree);
  if (is_before(top, at)) {
    left = tree;
    Item* rest = nullptr;
    split(top.right, at, rest, right);
    top.right = rest;
  } else {
    right = tree;
    Item* rest = nullptr;
    split(top.left, at, left, rest);
    top.left = rest;
  }
  add_up(top);
}

template <class Item, SumNode<Item> Item::*kNode>
Item* SumTree<Item, kNode>::merge(Item* left, Item* right) {
  if (left == nullptr) return right;
  if (right == nullptr) return left;
  const bool is_left_top = node(*left).priority >= node(*right).priority;
  Node& top = node(is_left_top ? *left : *right);
  if (is_left_top) {
    top.right = merge(top.right, right);
  } else {
    top.left = merge(left, top.left);
  }
  add_up(top);
  return is_left_top ? left : right;
}

}  // namespace ringmaster::master
