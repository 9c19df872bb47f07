// The request target's parts, the same for every codec.
#pragma once

#include <string_view>

#include "http/head.h"

namespace http {

/// "/a/b?c": raw_path, query and has_query of the head become views of it.
inline void split_query(std::string_view path_and_query, RequestHead& head) noexcept {
  const std::size_t mark = path_and_query.find('?');
  head.has_query = mark != std::string_view::npos;
  head.raw_path = path_and_query.substr(0, mark);
  head.query = head.has_query ? path_and_query.substr(mark + 1) : std::string_view{};
}

}  // namespace http
