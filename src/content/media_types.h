// Media types by the ending of a name: the `types` directive.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace content {

class MediaTypes {
 public:
  /// nginx's table where no `types` stands: html, gif and jpg.
  [[nodiscard]] static const MediaTypes& defaults();

  /// The former type of the ending, if another one is replaced; else empty.
  std::string set(std::string_view ending, std::string_view type);
  /// Of a path by its ending, in any letter case; empty if it is not in the table.
  [[nodiscard]] std::string_view find(std::string_view path) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };
  std::unordered_map<std::string, std::string, Hash, std::equal_to<>> types_;  // in lower case
};

/// What stands behind the last dot of a path's last segment, unless the dot begins the segment.
[[nodiscard]] std::string_view ending_of(std::string_view path) noexcept;

}  // namespace content
