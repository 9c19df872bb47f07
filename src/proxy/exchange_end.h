// The end of an exchange, whatever the protocol: the access log and the counters, exactly once.
#pragma once

#include "http/refusal.h"
#include "http/responder.h"
#include "proxy/context.h"

namespace proxy {

/// Byte counts, counters and the access log. `sender` is what the response went through to the
/// client.
void finish_exchange(Context& context, const http::Responder& sender);

/// The access log alone: of a request that did not come whole.
void write_access_log(Context& context, const http::Responder& sender);

/// A request that broke a rule.
void count_refusal(Worker& worker, http::Refusal refusal);

/// nginx's status for it, which error_page may name: 494 where it is a head that is too large.
[[nodiscard]] unsigned status_for(const Context& context, http::Refusal refusal) noexcept;

}  // namespace proxy
