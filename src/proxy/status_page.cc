#include "proxy/status_page.h"

#include "content/empty_gif.h"
#include "content/static_directives.h"
#include "content/status_pages.h"

namespace proxy {

namespace {

Answer answer_gif(const Context& context) {
  const http::RequestHead& request = context.exchange.request;
  if (request.method != http::Method::get && request.method != http::Method::head) {
    return Answer{.status = 405};
  }
  const auto& options = context.level->get<content::StaticOptions>();
  // What is shown for an error is no answer to what the client asked for.
  const bool is_asked_for = context.forced_status.value_or(200) == 200;
  const auto verdict =
      is_asked_for ? content::check_preconditions(request.fields, content::kEmptyGifValidators,
                                                  *options.if_modified_since)
                   : content::Precondition::holds;
  if (verdict == content::Precondition::failed) return Answer{.status = 412};
  if (verdict == content::Precondition::not_modified) {
    return Answer{.status = 304, .last_modified = content::kEmptyGifDate};
  }
  return Answer{.status = 200,
                .text = content::empty_gif(),
                .has_text = true,
                .type = "image/gif",
                .last_modified = content::kEmptyGifDate};
}

}  // namespace

std::optional<Answer> answer_status_page(Context& context) {
  const auto* gif = context.level->find<content::EmptyGifOptions>();
  if (gif != nullptr && gif->on) return answer_gif(context);
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
