#include "accesslog/access_log.h"
#include "proxy/context.h"

namespace proxy {

void log(const Context& context, observe::Level level, std::string_view message,
         std::string_view upstream) {
  if (context.recorder != nullptr) return context.recorder->logged(level, message);
  const auto own = accesslog::error_log_of(*context.level, context.site.listing().error_log);
  const observe::ErrorLog& sink = *own;
  if (!sink.enabled(level)) return;
  exchange::Exchange& exchange = context.exchange;
  const std::string client = exchange.remote.ip_text();
  const std::string_view request =
      exchange.arena.join(exchange.request.method_text, " ", exchange.request.target, " ",
                          text_of(exchange.request.version));
  sink.write(level, message,
             {.connection = exchange.connection.number,
              .client = client,
              .server = exchange.server_name,
              .request = request,
              .upstream = upstream,
              .host = exchange.request.fields.value(http::FieldName::host),
              .referrer = exchange.request.fields.value(http::FieldName::referer)});
}

}  // namespace proxy
