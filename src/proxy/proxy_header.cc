#include "proxy/proxy_header.h"

#include <fmt/format.h>

#include <memory>
#include <string>

#include "io/proxy_protocol.h"
#include "observe/error_log.h"
#include "proxy/client_options.h"

namespace proxy {
namespace {

using base::ErrorCode;
using io::ProxyDefect;
using observe::Counter;
using observe::Level;

void log(const Worker& worker, const exchange::Connection& facts, Level level,
         std::string_view what) {
  const auto& sink = *worker.site->listing().error_log;
  if (!sink.enabled(level)) return;
  const std::string client = facts.peer.ip_text();
  const std::string server = facts.local.text();
  sink.write(level, fmt::format("{} while reading PROXY protocol", what),
             {.connection = facts.number, .client = client, .server = server});
}

// nginx's words; the bytes are shown where they are likely to be text.
std::string describe_defect(ProxyDefect defect, std::string_view bytes) {
  if (defect == ProxyDefect::signature || defect == ProxyDefect::line) {
    return fmt::format("broken header: \"{}\", {}", bytes, io::explain(defect));
  }
  return fmt::format("broken header: {}", io::explain(defect));
}

std::string describe_absence(const base::Error& error) {
  if (error.is(ErrorCode::end_of_stream)) return "client closed connection";
  if (error.is(ErrorCode::timed_out)) return "client timed out (110: Connection timed out)";
  return describe(error);
}

}  // namespace

async::Task<bool> take_proxy_header(Worker& worker, exchange::Connection& facts, io::Stream& stream,
                                    const ListenGroup& group) {
  const auto& options = group.servers[group.default_server]->level->get<ClientOptions>();
  io::Buffer bytes;
  io::ProxyHeader header;
  const auto defect = co_await io::read_proxy_header(stream, bytes, header,
                                                     worker.loop.now() + *options.header_timeout);
  if (!defect) {
    if (defect.error().is(ErrorCode::cancelled)) co_return false;
    if (defect.error().is(ErrorCode::timed_out)) worker.counters.add(Counter::limit_header_time);
    worker.counters.add(Counter::proxy_headers_refused);
    log(worker, facts, Level::info, describe_absence(defect.error()));
    co_return false;
  }
  if (*defect != ProxyDefect::none) {
    worker.counters.add(Counter::proxy_headers_refused);
    log(worker, facts, Level::error, describe_defect(*defect, bytes.readable()));
    co_return false;
  }
  if (header.origin == io::ProxyHeader::Origin::client) {
    facts.proxy_protocol = std::make_unique<exchange::Connection::ProxyProtocol>(
        header.source, header.destination, std::string(header.tlvs));
  }
  co_return true;
}

}  // namespace proxy
