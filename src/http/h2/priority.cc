#include "http/h2/priority.h"

#include "base/text.h"
#include "http/list.h"

namespace http::h2 {

Priority parse_priority(std::string_view value) noexcept {
  Priority priority;
  ListReader members(value);
  while (const auto member = members.next()) {
    std::string_view rest = *member;
    const std::string_view item = base::trim(base::split_first(rest, ';'));  // parameters: ignored
    if (item.size() == 3 && item.starts_with("u=") && item[2] >= '0' && item[2] <= '7') {
      priority.urgency = static_cast<std::uint8_t>(item[2] - '0');
    }
    if (item == "i" || item == "i=?1") priority.incremental = true;
    if (item == "i=?0") priority.incremental = false;
  }
  return priority;
}

}  // namespace http::h2
