#include "http/refusal.h"

#include <array>

namespace http {

namespace {
struct Entry {
  unsigned status;
  std::string_view name;
  std::string_view sentence;
};
constexpr std::array<Entry, kRefusalCount> kEntries = {{{200, "none", "accepted"},
#define SALLYPORT_REFUSAL(name, status, sentence) {status, #name, sentence},
                                                        SALLYPORT_REFUSALS(SALLYPORT_REFUSAL)
#undef SALLYPORT_REFUSAL
}};
}  // namespace

unsigned status_of(Refusal refusal) noexcept {
  return kEntries[static_cast<std::size_t>(refusal)].status;
}
std::string_view name_of(Refusal refusal) noexcept {
  return kEntries[static_cast<std::size_t>(refusal)].name;
}
std::string_view explain(Refusal refusal) noexcept {
  return kEntries[static_cast<std::size_t>(refusal)].sentence;
}

}  // namespace http
