// Pages about the program itself: nginx's `stub_status`, and `health_endpoint live|ready` for
// whoever decides where requests go. Nothing of either is on unless a location says so; neither
// tells a name, an address or a path.
//
// ready: every listener is open, and the process is not about to end. Backends do not count: if all
// instances turned away for one backend's sake, nobody would be left to say so.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/arena.h"
#include "config/directive.h"
#include "observe/totals.h"

namespace content {

/// A block's own, never inherited.
struct StatusPageOptions {
  enum class Page : std::uint8_t { none, stub_status, live, ready };
  Page page = Page::none;
  bool json = false;  // of live and ready
};

extern const config::Feature kStatusPageFeature;

struct StatusPage {
  unsigned status = 200;
  std::string_view type;
  std::string_view text;  // in the arena, or static
};

/// nginx's page, byte for byte. Handled are the connections that were accepted: none is dropped
/// afterwards.
[[nodiscard]] StatusPage stub_status_page(const observe::Totals& totals, base::Arena& arena);

/// 200 "ok", or 503 with the reasons.
[[nodiscard]] StatusPage health_page(const StatusPageOptions& options,
                                     const observe::Readiness& readiness);

}  // namespace content
