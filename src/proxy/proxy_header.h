// The PROXY protocol header that connections of `listen ... proxy_protocol` begin with, before TLS
// and before HTTP.
#pragma once

#include "async/task.h"
#include "exchange/exchange.h"
#include "io/stream.h"
#include "proxy/site.h"
#include "proxy/worker.h"

namespace proxy {

/// Reads it within client_header_timeout of the address's default server and keeps what it says of
/// the client in `facts`. False when none came or it is broken: that is counted and logged, and the
/// connection is to be closed.
[[nodiscard]] async::Task<bool> take_proxy_header(Worker& worker, exchange::Connection& facts,
                                                  io::Stream& stream, const ListenGroup& group);

}  // namespace proxy
