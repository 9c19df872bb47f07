#include "content/media_types.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/text.h"

namespace content {
namespace {

constexpr std::size_t kLongest = 64;  // endings that are longer are none

}  // namespace

std::string_view ending_of(std::string_view path) noexcept {
  const std::size_t segment = path.rfind('/') + 1;  // npos + 1 is 0
  const std::size_t dot = path.rfind('.');
  if (dot == std::string_view::npos || dot <= segment) return {};
  return path.substr(dot + 1);
}

const MediaTypes& MediaTypes::defaults() {
  static const MediaTypes types = [] {
    MediaTypes made;
    made.set("html", "text/html");
    made.set("gif", "image/gif");
    made.set("jpg", "image/jpeg");
    return made;
  }();
  return types;
}

std::string MediaTypes::set(std::string_view ending, std::string_view type) {
  std::string& known = types_[base::lower(ending)];
  return std::exchange(known, std::string(type));
}

std::string_view MediaTypes::find(std::string_view path) const {
  const std::string_view ending = ending_of(path);
  if (ending.empty() || ending.size() > kLongest) return {};
  std::array<char, kLongest> lower{};
  std::ranges::transform(ending, lower.begin(), base::to_lower);
  const auto found = types_.find(std::string_view(lower.data(), ending.size()));
  return found == types_.end() ? std::string_view{} : found->second;
}

}  // namespace content
