#include "route/prefix_tree.h"

#include <algorithm>

namespace route {
namespace {

std::size_t common_length(std::string_view a, std::string_view b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

}  // namespace

PrefixTree::Node* PrefixTree::Node::child_for(char first) const noexcept {
  for (const auto& child : children) {
    if (child->edge.front() == first) return child.get();
  }
  return nullptr;
}

// Cuts the edge to `node`: its first `at` bytes lead to it, the rest to a new child with all it
// had.
void PrefixTree::split(Node& node, std::size_t at) {
  auto rest = std::make_unique<Node>();
  rest->edge = node.edge.substr(at);
  rest->value = node.value;
  rest->children = std::move(node.children);
  node.edge.resize(at);
  node.value.reset();
  node.children.clear();
  node.children.push_back(std::move(rest));
}

bool PrefixTree::add(std::string_view prefix, std::size_t value) {
  Node* node = &root_;
  while (!prefix.empty()) {
    Node* child = node->child_for(prefix.front());
    if (child == nullptr) {
      node->children.push_back(std::make_unique<Node>());
      child = node->children.back().get();
      child->edge = prefix;
    } else if (const std::size_t common = common_length(child->edge, prefix);
               common < child->edge.size()) {
      split(*child, common);
    }
    prefix.remove_prefix(child->edge.size());
    node = child;
  }
  if (node->value) return false;
  node->value = value;
  return true;
}

std::optional<std::size_t> PrefixTree::longest(std::string_view path) const noexcept {
  std::optional<std::size_t> best = root_.value;
  const Node* node = &root_;
  while (!path.empty()) {
    node = node->child_for(path.front());
    if (node == nullptr || !path.starts_with(node->edge)) break;
    path.remove_prefix(node->edge.size());
    if (node->value) best = node->value;
  }
  return best;
}

}  // namespace route
