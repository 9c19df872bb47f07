// PrefixTree: the longest of many prefixes of a path, in time linear in the path and independent of
// how many there are. A radix tree: each edge carries the bytes that its children share.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace route {

class PrefixTree {
 public:
  /// False if the prefix is there already.
  [[nodiscard]] bool add(std::string_view prefix, std::size_t value);
  /// The value of the longest prefix of `path`.
  [[nodiscard]] std::optional<std::size_t> longest(std::string_view path) const noexcept;

 private:
  struct Node {
    std::string edge;  // the bytes that lead here from the parent
    std::optional<std::size_t> value;
    std::vector<std::unique_ptr<Node>> children;  // no two begin with the same byte
    [[nodiscard]] Node* child_for(char first) const noexcept;
  };
  static void split(Node& node, std::size_t at);
  Node root_;
};

}  // namespace route
