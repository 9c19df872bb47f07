#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>

#include "snapshot/outline.h"

namespace snapshot {
namespace {

using Json = nlohmann::ordered_json;

std::optional<ItemKind> kind_of(const Json& name) {
  if (!name.is_string()) return std::nullopt;
  for (std::size_t i = 0; i < kItemKinds; ++i) {
    const auto kind = static_cast<ItemKind>(i);
    if (name.get_ref<const std::string&>() == name_of(kind)) return kind;
  }
  return std::nullopt;
}

std::optional<Item> item_of(const Json& json, std::size_t texts) {
  if (!json.is_array() || json.size() != 3) return std::nullopt;
  const auto kind = kind_of(json[0]);
  if (!kind || !json[1].is_string() || !json[2].is_array()) return std::nullopt;
  Item item{.kind = *kind, .key = json[1].get<std::string>(), .settings = {}};
  item.settings.reserve(json[2].size());
  for (const Json& number : json[2]) {
    if (!number.is_number_unsigned() || number.get<std::uint64_t>() >= texts) return std::nullopt;
    item.settings.push_back(number.get<std::uint32_t>());
  }
  return item;
}

}  // namespace

std::string to_json(const Outline& outline) {
  Json json;
  json["texts"] = outline.texts;
  Json& items = json["items"] = Json::array();
  for (const Item& item : outline.items) {
    items.push_back(Json::array({name_of(item.kind), item.key, item.settings}));
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::expected<Outline, std::string> parse_outline(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return std::unexpected("the answer is not JSON");
  if (json.contains("error") && json["error"].is_string()) {
    return std::unexpected(json["error"].get<std::string>());
  }
  const std::unexpected not_understood(std::string("the answer is not an outline"));
  if (!json.contains("texts") || !json["texts"].is_array() || !json.contains("items") ||
      !json["items"].is_array()) {
    return not_understood;
  }
  Outline outline;
  for (const Json& each : json["texts"]) {
    if (!each.is_string()) return not_understood;
    outline.texts.push_back(each.get<std::string>());
  }
  for (const Json& each : json["items"]) {
    auto item = item_of(each, outline.texts.size());
    if (!item) return not_understood;
    outline.items.push_back(*std::move(item));
  }
  const auto key = [](const Item& item) { return std::tie(item.kind, item.key); };
  if (!std::ranges::is_sorted(outline.items, {}, key)) return not_understood;
  return outline;
}

}  // namespace snapshot
