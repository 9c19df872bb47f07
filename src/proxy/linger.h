// Lingering close: what a client still sends after the last answer is read away, so that the answer
// reaches it.
#pragma once

#include "async/task.h"
#include "io/stream.h"
#include "observe/counters.h"
#include "proxy/client_options.h"

namespace proxy {

/// Ends our side, and reads until the client ends its own, or lingering_timeout or lingering_time
/// is over; not at all with `lingering_close off`.
[[nodiscard]] async::Task<void> linger(io::Stream& stream, const ClientOptions& options,
                                       observe::Counters& counters);

}  // namespace proxy
