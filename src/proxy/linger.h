// Lingering close: what a client still sends after the last answer is read away, so that the answer
// reaches it.
#pragma once

#include <cstddef>
#include <limits>

#include "async/task.h"
#include "io/stream.h"
#include "observe/counters.h"
#include "proxy/client_options.h"

namespace proxy {

/// Ends our side, and reads until the client ends its own, lingering_timeout or lingering_time is
/// over, or more than `most` bytes have come; not at all with `lingering_close off`.
[[nodiscard]] async::Task<void> linger(io::Stream& stream, const ClientOptions& options,
                                       observe::Counters& counters,
                                       std::size_t most = std::numeric_limits<std::size_t>::max());

}  // namespace proxy
