// gRPC's own words, for locations with grpc_pass: its errors and its deadlines. Sources: the
// documents PROTOCOL-HTTP2.md ("gRPC over HTTP2") and http-grpc-status-mapping.md of gRPC.
#pragma once

#include <expected>
#include <optional>
#include <string_view>

#include "async/task.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/result.h"
#include "http/fields.h"
#include "proxy/context.h"

namespace proxy {

enum class GrpcStatus : std::uint8_t {
  unknown = 2,
  deadline_exceeded = 4,
  permission_denied = 7,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  unauthenticated = 16,
};

/// What an error of HTTP means to gRPC.
[[nodiscard]] GrpcStatus grpc_status_of(unsigned http_status) noexcept;

/// The status that tells the client how its call ended.
struct GrpcEnd {
  GrpcStatus status = GrpcStatus::unavailable;
  std::string_view message;  // printable ASCII without '%'; lives as long as the exchange
};

/// The client calls by gRPC (Content-Type), and the location answers it so: it has grpc_pass, and
/// `compat nginx` does not hold.
[[nodiscard]] bool is_grpc_call(const Context& context);

/// Whether this answer must be told as the end of a call.
[[nodiscard]] bool ends_grpc_call(const Context& context, const Answer& answer);
[[nodiscard]] GrpcEnd grpc_end_of(const Answer& answer);

/// The answer as a head alone, "Trailers-Only".
[[nodiscard]] async::Task<base::Result<void>> respond_grpc(Context& context, Answer answer);

/// Ends a response that has begun by its trailers. An error: the client can't be told.
[[nodiscard]] async::Task<base::Result<void>> end_grpc_response(Context& context, GrpcEnd end);

/// The value of grpc-timeout: one to eight digits and a unit. Nothing: it is none. Longer than
/// kLongestGrpcTimeout is that long. Zero, which clients send whose deadline has just passed, is
/// taken although the grammar asks for a positive number.
inline constexpr base::Duration kLongestGrpcTimeout = std::chrono::hours(10'000);
[[nodiscard]] std::optional<base::Duration> parse_grpc_timeout(std::string_view text) noexcept;
[[nodiscard]] std::string_view format_grpc_timeout(base::Duration left, base::Arena& arena);

/// Of a request's fields: nothing without a time-out, an error if it is malformed or said twice.
[[nodiscard]] std::expected<std::optional<base::Duration>, std::string_view> find_grpc_timeout(
    const http::Fields& fields) noexcept;
inline constexpr std::string_view kGrpcTimeout = "grpc-timeout";

}  // namespace proxy
