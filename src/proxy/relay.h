// Moving bodies from one side to the other: no faster than the receiver takes them.
#pragma once

#include <chrono>
#include <cstdint>
#include "async/task.h"
#include "base/result.h"
#include "http/client_exchange.h"
#include "proxy/context.h"
#include "proxy/held_body.h"
#include "proxy/plan.h"
#include "proxy/request_body.h"

namespace proxy {

/// The context of Error timed_out from a client that takes something, but less than send_min_rate.
inline constexpr std::string_view kBelowSendRate =
    "client took the response more slowly than send_min_rate allows";

/// Sends the response's head and its body. Errors carry their source: downstream or upstream.
[[nodiscard]] async::Task<base::Result<void>> relay_response(Context& context,
                                                             const ForwardPlan& plan,
                                                             http::ReceivedBody& body);

/// Where a request's body comes from: the client as it sends, or what was held.
struct BodySource {
  RequestBody* streaming = nullptr;
  Replay* replay = nullptr;  // of what streams: sent first, and what is read is added
  const HeldBody* held = nullptr;
};

/// Sends the rest of the request's body (`offset` bytes of a held one are sent). An error of the
/// backend's side is no error here: it may have answered early, and its answer says more.
[[nodiscard]] async::Task<base::Result<void>> pump_request(Context& context,
                                                           const ForwardPlan& plan,
                                                           BodySource source, std::uint64_t offset,
                                                           http::ClientExchange& backend);

/// How long a tunnel may be silent, how long each side may take nothing, and how much of either
/// direction is held at most.
struct TunnelLimits {
  std::chrono::milliseconds silence;
  std::chrono::milliseconds to_backend;
  std::chrono::milliseconds to_client;
  std::size_t buffer = 16 * 1024;
};

/// After a 101: bytes both ways until both sides have ended, neither has said anything for
/// `limits.silence`, or the scope stops. `early` came behind the 101's head; what the client sent
/// early was held until now. The exchange counts what an HTTP/1 client's responder does not know
/// of.
struct TunnelBytes {
  std::uint64_t up = 0;  // to the backend
  std::uint64_t down = 0;
};
[[nodiscard]] async::Task<TunnelBytes> tunnel(Context& context, TunnelLimits limits,
                                              io::Stream& backend, std::string_view early);

}  // namespace proxy
