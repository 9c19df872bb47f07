#include "content/status_pages.h"

#include <fmt/format.h>

#include <string>

namespace content {
namespace {

using config::Binding;
using config::Context;
using observe::Counter;
using Page = StatusPageOptions::Page;

void set_page(Binding& binding, Page page) {
  auto& options = binding.options<StatusPageOptions>();
  if (options.page != Page::none) {
    return binding.error("a location shows one page: stub_status or health_endpoint");
  }
  options.page = page;
}

void set_stub_status(Binding& binding) { set_page(binding, Page::stub_status); }

void set_health_endpoint(Binding& binding) {
  if (binding.argument(0) != "live" && binding.argument(0) != "ready") {
    return binding.invalid(0, "live: the process answers; ready: it takes requests");
  }
  if (binding.count() == 2 && binding.argument(1) != "text" && binding.argument(1) != "json") {
    return binding.invalid(1, "text or json");
  }
  set_page(binding, binding.argument(0) == "live" ? Page::live : Page::ready);
  binding.options<StatusPageOptions>().json = binding.count() == 2 && binding.argument(1) == "json";
}

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "stub_status",
     .contexts = Context::server | Context::location,
     .arguments = config::takes(0, 1),
     .syntax = "",
     .documentation = "Answers with nginx's page of connections and requests.",
     .set = set_stub_status},
    {.name = "health_endpoint",
     .contexts = Context::location,
     .arguments = config::takes(1, 2),
     .syntax = "live | ready [text | json]",
     .documentation = "200 while the process answers, or while it takes requests; else 503.",
     .set = set_health_endpoint},
};

}  // namespace

const config::Feature kStatusPageFeature{"status_pages", kDirectives, nullptr};

StatusPage stub_status_page(const observe::Totals& totals, base::Arena& arena) {
  const std::uint64_t accepted = totals.sum(Counter::connections_accepted);
  const observe::ConnectionCounts counts = observe::connection_counts(totals);
  const std::string text = fmt::format(
      "Active connections: {} \n"
      "server accepts handled requests\n"
      " {} {} {} \n"
      "Reading: {} Writing: {} Waiting: {} \n",
      counts.active, accepted, accepted, totals.sum(Counter::requests), counts.reading,
      counts.writing, counts.waiting);
  return {.type = "text/plain", .text = arena.copy(text)};
}

StatusPage health_page(const StatusPageOptions& options, const observe::Readiness& readiness) {
  StatusPage page{.type = options.json ? "application/json" : "text/plain",
                  .text = options.json ? "{\"status\":\"ok\"}\n" : "ok\n"};
  if (options.page == Page::live || readiness.is_ready()) return page;
  page.status = 503;
  if (readiness.draining.load(std::memory_order_relaxed)) {
    page.text = options.json ? "{\"status\":\"unavailable\",\"reasons\":[\"draining\"]}\n"
                             : "unavailable: draining\n";
  } else {
    page.text = options.json ? "{\"status\":\"unavailable\",\"reasons\":[\"not listening\"]}\n"
                             : "unavailable: not listening\n";
  }
  return page;
}

}  // namespace content
