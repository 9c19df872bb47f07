#include "script/request_lookups.h"

#include "base/text.h"
#include "script/getters.h"

namespace script {
namespace {

Text cookie_in(std::string_view rest, std::string_view name) noexcept {
  while (!rest.empty()) {
    if (base::starts_with_ignoring_case(rest, name)) {
      rest.remove_prefix(name.size());
      skip_spaces(rest);
      if (rest.starts_with('=')) {
        rest.remove_prefix(1);
        skip_spaces(rest);
        return rest.substr(0, rest.find(';'));
      }
    }
    const std::size_t end = rest.find_first_of(";,");
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    skip_spaces(rest);
  }
  return std::nullopt;
}

}  // namespace

Text find_argument(std::string_view args, std::string_view name) noexcept {
  while (!args.empty()) {
    const std::string_view pair = base::split_first(args, '&');
    if (pair.size() > name.size() && pair[name.size()] == '=' &&
        base::starts_with_ignoring_case(pair, name)) {
      return pair.substr(name.size() + 1);
    }
  }
  return std::nullopt;
}

Text find_cookie(const http::Fields& request, std::string_view name) noexcept {
  if (!request.has(http::FieldName::cookie)) return std::nullopt;
  for (const http::Field& field : request) {
    if (field.id != http::FieldName::cookie) continue;
    if (const Text value = cookie_in(field.value, name)) return value;
  }
  return std::nullopt;
}

}  // namespace script
