#include "proxy/status_page.h"

#include "content/status_pages.h"

namespace proxy {

std::optional<Answer> answer_status_page(Context& context) {
  const auto* options = context.level->find<content::StatusPageOptions>();
  const Worker& worker = context.worker;
  if (options == nullptr || worker.totals == nullptr || worker.readiness == nullptr) {
    return std::nullopt;
  }
  const http::Method method = context.exchange.request.method;
  if (method != http::Method::get && method != http::Method::head) return Answer{.status = 405};
  const content::StatusPage page =
      options->page == content::StatusPageOptions::Page::stub_status
          ? content::stub_status_page(*worker.totals, context.exchange.arena)
          : content::health_page(*options, *worker.readiness);
  return Answer{.status = page.status, .text = page.text, .has_text = true, .type = page.type};
}

}  // namespace proxy
