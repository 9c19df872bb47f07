#include "content/preconditions.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <optional>

#include "http/date.h"

namespace content {
namespace {

using http::Field;
using http::FieldName;

enum class Comparison : std::uint8_t { strong, weak };  // RFC 9110 §8.8.3.2

std::optional<std::int64_t> seconds_of(std::string_view date) noexcept {
  const auto time = http::parse_http_date(date);
  if (!time) return std::nullopt;
  return time->time_since_epoch().count();
}

// An entity-tag from the front of `list`, quotes and W/ included, and the comma behind it; what is
// no tag is skipped up to the next comma.
std::string_view take_tag(std::string_view& list) noexcept {
  const std::size_t begin = std::min(list.find_first_not_of(" \t,"), list.size());
  list.remove_prefix(begin);
  const std::size_t opening = list.starts_with("W/") ? 2 : 0;
  std::size_t end = std::min(list.find(','), list.size());
  if (list.substr(opening).starts_with('"')) {
    const std::size_t closing = list.find('"', opening + 1);  // a tag may have commas in it
    if (closing != std::string_view::npos) end = std::min(list.find(',', closing), list.size());
  }
  std::string_view tag = list.substr(0, end);
  list.remove_prefix(std::min(end + 1, list.size()));
  tag.remove_suffix(tag.size() - std::min(tag.find_last_not_of(" \t") + 1, tag.size()));
  return tag;
}

bool names(std::string_view list, std::string_view etag, Comparison comparison) noexcept {
  if (list == "*") return true;
  while (!list.empty()) {
    std::string_view tag = take_tag(list);
    if (comparison == Comparison::weak && tag.starts_with("W/")) tag.remove_prefix(2);
    if (!tag.empty() && tag == etag) return true;
  }
  return false;
}

// A list may come in several fields.
bool any_names(const http::Fields& request, FieldName name, std::string_view etag,
               Comparison comparison) noexcept {
  return std::ranges::any_of(request, [&](const Field& field) {
    return field.id == name && names(field.value, etag, comparison);
  });
}

// Later than what the client has, as the directive compares times.
bool is_modified(const Field& since, const Validators& file, ModifiedSince how) noexcept {
  const auto time = seconds_of(since.value);
  if (how == ModifiedSince::off || !time) return true;
  return how == ModifiedSince::exact ? *time != file.modified : *time < file.modified;
}

}  // namespace

std::string_view make_etag(std::int64_t modified, std::uint64_t size, base::Arena& arena) {
  std::array<char, 36> text{};
  std::span<char> room(text);
  const auto add = [&room](char c) {
    room.front() = c;
    room = room.subspan(1);
  };
  const auto add_hex = [&room](std::uint64_t number) {
    const auto end = std::to_chars(room.data(), room.data() + room.size(), number, 16).ptr;
    room = room.subspan(static_cast<std::size_t>(end - room.data()));
  };
  add('"');
  add_hex(static_cast<std::uint64_t>(modified));
  add('-');
  add_hex(size);
  add('"');
  return arena.copy({text.data(), text.size() - room.size()});
}

Precondition check_preconditions(const http::Fields& request, const Validators& file,
                                 ModifiedSince modified_since) noexcept {
  if (const Field* since = request.find(FieldName::if_unmodified_since)) {
    const auto time = seconds_of(since->value);
    if (!time || *time < file.modified) return Precondition::failed;
  }
  if (request.has(FieldName::if_match) &&
      !any_names(request, FieldName::if_match, file.etag, Comparison::strong)) {
    return Precondition::failed;
  }
  const Field* since = request.find(FieldName::if_modified_since);
  const bool has_tags = request.has(FieldName::if_none_match);
  if (since == nullptr && !has_tags) return Precondition::holds;
  if (since != nullptr && is_modified(*since, file, modified_since)) return Precondition::holds;
  if (has_tags && !any_names(request, FieldName::if_none_match, file.etag, Comparison::weak)) {
    return Precondition::holds;
  }
  return Precondition::not_modified;
}

bool allows_range(const http::Fields& request, const Validators& file) noexcept {
  const Field* condition = request.find(FieldName::if_range);
  if (condition == nullptr) return true;
  if (condition->value.size() >= 2 && condition->value.ends_with('"')) {
    return condition->value == file.etag;
  }
  return seconds_of(condition->value) == file.modified;
}

}  // namespace content
