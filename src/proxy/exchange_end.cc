#include "proxy/exchange_end.h"

#include <algorithm>
#include <chrono>

#include "observe/histogram.h"

namespace proxy {

using observe::Counter;

namespace {

// For the server and the location, and how long it took. How long a tunnel was open is no answer
// time.
void count_traffic(const Context& context) {
  const exchange::Exchange& exchange = context.exchange;
  const auto count = [&](const config::Level& level) {
    const auto* place = level.find<PlaceNumber>();
    if (place == nullptr) return;
    context.site.traffic()
        .at(place->number)
        .count(exchange.response.status, exchange.request_length, exchange.bytes_sent);
  };
  count(*context.server->level);
  if (context.location != nullptr) count(*context.location->level);
  if (context.worker.request_times == nullptr || exchange.response.status < 200) return;
  const auto time = std::chrono::duration_cast<std::chrono::microseconds>(
      std::max(exchange.now - exchange.started, base::Duration{}));
  context.worker.request_times->add(static_cast<std::uint64_t>(time.count()));
}

}  // namespace

void write_access_log(Context& context, const http::Responder& sender) {
  exchange::Exchange& exchange = context.exchange;
  context.take_time();
  exchange.bytes_sent += sender.bytes_sent();
  exchange.body_bytes_sent += sender.bytes_sent() - sender.head_bytes_sent();
  exchange.head_sent = sender.head_sent();
  exchange.completed = exchange.completed || sender.ended();
  const auto& logs = context.level->get<accesslog::Logs>();
  if (!logs->empty()) context.site.access_log().write(*logs, exchange);
  static_cast<void>(failed_evaluation(context));  // it is too late for an answer
}

void finish_exchange(Context& context, const http::Responder& sender) {
  if (context.recorder != nullptr) return context.recorder->finished(context);
  write_access_log(context, sender);
  const exchange::Exchange& exchange = context.exchange;
  context.count(observe::response_counter(exchange.response.status));
  context.count(Counter::bytes_in, exchange.request_length);
  context.count(Counter::bytes_out, exchange.bytes_sent);
  count_traffic(context);
}

void count_refusal(Worker& worker, http::Refusal refusal) {
  worker.counters.add(counter_for(refusal));
  worker.counters.add(worker.refusals.requests, static_cast<std::size_t>(refusal));
}

unsigned status_for(const Context& context, http::Refusal refusal) noexcept {
  const unsigned status = http::status_of(refusal);
  return status == 431 && context.site.listing().compat_nginx ? 494 : status;
}

}  // namespace proxy
