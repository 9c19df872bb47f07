// Values out of an answer that another version of the program may have given: what is missing or of
// another type counts as not there. Only for the .cc files of this folder: nlohmann's header stays
// out of ours.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cli {

/// `Json` is nlohmann's; a template, so that its header need not be here.
template <class Json>
[[nodiscard]] const Json* find(const Json& json, std::string_view path) {
  const typename Json::json_pointer pointer{std::string(path)};
  return json.contains(pointer) ? &json[pointer] : nullptr;
}

template <class Json>
[[nodiscard]] std::uint64_t number(const Json& json, std::string_view path) {
  const Json* found = find(json, path);
  return found != nullptr && found->is_number_unsigned() ? found->template get<std::uint64_t>() : 0;
}

template <class Json>
[[nodiscard]] std::int64_t signed_number(const Json& json, std::string_view path) {
  const Json* found = find(json, path);
  return found != nullptr && found->is_number_integer() ? found->template get<std::int64_t>() : 0;
}

template <class Json>
[[nodiscard]] std::string text(const Json& json, std::string_view path, std::string otherwise) {
  const Json* found = find(json, path);
  return found != nullptr && found->is_string() ? found->template get<std::string>() : otherwise;
}

template <class Json>
[[nodiscard]] bool flag(const Json& json, std::string_view path) {
  const Json* found = find(json, path);
  return found != nullptr && found->is_boolean() && found->template get<bool>();
}

/// The array there, or an empty one.
template <class Json>
[[nodiscard]] const Json& list(const Json& json, std::string_view path) {
  static const Json none = Json::array();
  const Json* found = find(json, path);
  return found != nullptr && found->is_array() ? *found : none;
}

}  // namespace cli
