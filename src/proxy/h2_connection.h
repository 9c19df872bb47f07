// A client's HTTP/2 connection: many exchanges at a time, each served as over HTTP/1.
#pragma once

#include <string_view>

#include "async/task.h"
#include "proxy/context.h"

namespace proxy {

/// Until the connection ends; the stream is not shut down. `begun` was read already.
[[nodiscard]] async::Task<void> serve_h2(Worker& worker, exchange::Connection& facts,
                                         io::Stream& stream, const base::Address& listener,
                                         std::string_view begun);

}  // namespace proxy
