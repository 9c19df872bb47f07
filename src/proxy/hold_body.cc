#include "proxy/hold_body.h"

#include "proxy/client_failure.h"
#include "proxy/held_body.h"
#include "proxy/request_body.h"

namespace proxy {

using observe::Counter;
using observe::Level;

async::Task<std::optional<Answer>> hold_body(Context& context) {
  const ClientOptions& options = context.client_options();
  const BodyFiles files = *options.body_in_file_only;
  const Listing& listing = context.site.listing();
  const auto held = std::make_shared<HeldBody>(
      BodyPlace{.directory = options.body_temp_path.is_set ? *options.body_temp_path
                                                           : listing.temporary_directory,
                .in_memory = *options.body_buffer_size,
                .always = files != BodyFiles::off,
                .named = files != BodyFiles::off || listing.shows_body_files,
                .kept = files == BodyFiles::on});
  if (const auto done = co_await held->hold(context.body); !done) {
    context.close_after = true;
    context.body_refused = true;  // half a body is none, for whatever error_page may lead to
    const bool ours = done.error().source == base::ErrorSource::internal && !context.body.failed();
    log(context, ours ? Level::crit : Level::info,
        ours ? describe(done.error()) : client_sentence(context, done.error()));
    co_return answer_client_failure(context, done.error());
  }
  context.held = held;
  if (held->in_memory()) {
    context.exchange.request_body = held->text();
  } else {
    if (files == BodyFiles::off) context.count(Counter::limit_body_buffer_size);
    context.exchange.request_body_file = held->file_name();
  }
  co_return std::nullopt;
}

}  // namespace proxy
