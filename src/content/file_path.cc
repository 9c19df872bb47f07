#include "content/file_path.h"

#include <algorithm>
#include <cstddef>

#include "base/bytes.h"
#include "base/text.h"

namespace content {
namespace {

using base::ErrorCode;

constexpr std::string_view kLeaves = "leads out of its root";

bool has_dot_dot(std::string_view path) noexcept {
  while (!path.empty()) {
    if (base::split_first(path, '/') == "..") return true;
  }
  return false;
}

std::string_view terminated(base::Arena& arena, std::string_view text) {
  const std::string_view copy = arena.join(text, std::string_view("\0", 1));
  return copy.substr(0, text.size());
}

// The part of a path up to its last slash, which stays.
std::string_view directory_part(std::string_view path) noexcept {
  return path.substr(0, path.rfind('/') + 1);
}

std::string_view without_slashes(std::string_view path) noexcept {
  path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
  return path;
}

// The part of an alias that its author chose: what stands before the first variable.
std::string_view literal_part(const script::Value& value) noexcept {
  if (value.pieces().empty() || value.pieces().front().kind() != script::Piece::Kind::literal) {
    return {};
  }
  return value.pieces().front().text();
}

// Where disable_symlinks begins to count: behind PART, if the path begins with it at the end of one
// of its names.
std::size_t unchecked_part(const StaticPlan& plan, exchange::Exchange& exchange,
                           std::string_view shown) {
  if (!plan.links_free_in) return 0;
  const std::string_view part = plan.links_free_in->evaluate(exchange);
  if (part.empty() || !shown.starts_with(part)) return 0;
  const bool whole_names =
      part.size() == shown.size() || part.ends_with('/') || shown[part.size()] == '/';
  return whole_names ? part.size() : 0;
}

}  // namespace

base::Result<std::string_view> file_name_of(std::string_view path, http::EncodedSlash encoded_slash,
                                            base::Arena& arena) {
  if (encoded_slash != http::EncodedSlash::keep || path.find('%') == std::string_view::npos) {
    return path;
  }
  const std::span<char> made = arena.allocate_chars(path.size());
  std::size_t size = 0;
  while (!path.empty()) {
    if (path.starts_with("%2F")) return base::fail(ErrorCode::not_found, "an encoded slash");
    const bool escaped = path.starts_with("%25");
    made[size++] = path.front();
    path.remove_prefix(escaped ? 3 : 1);
  }
  return std::string_view(made.data(), size);
}

base::Result<FilePath> path_in(const FilePath& directory, std::string_view name,
                               base::Arena& arena) {
  FilePath path = directory;
  const std::string_view below = directory.below == "." ? name : arena.join(directory.below, name);
  if (has_dot_dot(below) || below.find('\0') != std::string_view::npos) {
    return base::fail(ErrorCode::not_permitted, kLeaves);
  }
  path.shown = arena.join(directory.shown, name);
  path.below = terminated(arena, without_slashes(below));
  return path;
}

base::Result<std::string_view> find_root(const StaticPlan& plan, exchange::Exchange& exchange) {
  const std::string_view place = plan.path.evaluate(exchange);
  if (plan.path.is_constant()) return place;
  if (place.find('\0') != std::string_view::npos) return base::fail(ErrorCode::not_found);
  if (has_dot_dot(place)) return base::fail(ErrorCode::not_permitted, kLeaves);
  if (place.starts_with('/') || (place.empty() && !plan.alias)) return place;
  return exchange.arena.join(plan.prefix, place);
}

std::size_t aliased_prefix(const StaticPlan& plan, const exchange::Exchange& exchange,
                           std::string_view uri) noexcept {
  if (!plan.alias || plan.whole) return 0;
  const std::string_view prefix =
      exchange.uri.substr(0, std::min(plan.replaced, exchange.uri.size()));
  return uri.starts_with(prefix) ? prefix.size() : 0;
}

base::Result<FilePath> find_path(const StaticPlan& plan, exchange::Exchange& exchange,
                                 http::EncodedSlash encoded_slash, std::string_view uri) {
  base::Arena& arena = exchange.arena;
  TRY(const std::string_view place, find_root(plan, exchange));
  TRY(const std::string_view rest,
      file_name_of(uri.substr(aliased_prefix(plan, exchange, uri)), encoded_slash, arena));
  FilePath path;
  path.shown = plan.whole ? place : arena.join(place, rest);
  if (plan.whole) {
    path.directory = directory_part(literal_part(plan.path));
  } else {
    path.directory = plan.alias ? directory_part(place) : place;
  }
  if (path.directory.empty()) path.directory = "/";
  path.below =
      without_slashes(path.shown.substr(std::min(path.directory.size(), path.shown.size())));
  if (has_dot_dot(path.below)) return base::fail(ErrorCode::not_permitted, kLeaves);
  path.unchecked = unchecked_part(plan, exchange, path.shown);
  path.directory = terminated(arena, path.directory);
  path.below = path.below.empty() ? "." : terminated(arena, path.below);
  return path;
}

}  // namespace content
