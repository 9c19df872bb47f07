// Recorder: to whom the steps of an exchange report when nobody is served and somebody wants to
// know what would happen (`sallyport explain`). The steps are those that serve requests, so what is
// told can't differ from what is done. Worker::recorder is null where requests are served: then a
// report is a null check.
//
// Two things differ with a recorder: a request that is ready for a backend goes to forwarded()
// instead, which ends the exchange, and nothing is written to logs.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "http/outgoing_request.h"
#include "observe/error_log.h"

namespace proxy {

struct Context;
struct Destination;
struct ForwardPlan;

class Recorder {
 public:
  enum class Step : std::uint8_t {
    server,  // context.server was chosen
    client,  // exchange.remote and exchange.trusted_peer are decided
    path,  // exchange.uri is canonical
    rewrite,  // detail: what a rewrite directive did
    location,  // context.location was chosen; null: none fits
    method,  // a limit_except holds
    limits,  // detail: what limit_req and limit_conn say
    access,  // detail: what allow and deny say
    password,  // detail: what auth_basic says
    subrequest,  // detail: what auth_request is assumed to say
    mirror,  // detail: the path that a copy would go to
    file,  // detail: a file that was looked for, and whether it is there
    redirect,  // detail: where an internal redirect leads
    error_page,  // detail: what is shown for which status
    answer,  // detail: the proxy's own answer
  };

  Recorder() = default;
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;
  virtual ~Recorder() = default;

  /// `detail` lives as long as the call.
  virtual void tell(Step step, const Context& context, std::string_view detail) = 0;
  /// A line that would be in the error log.
  virtual void logged(observe::Level level, std::string_view message) = 0;
  /// What a backend would get. `tls_name`: what its certificate must bear; empty in the clear.
  virtual void forwarded(const Context& context, const ForwardPlan& plan,
                         const Destination& destination, const http::OutgoingRequest& request,
                         std::string_view tls_name) = 0;
  /// The exchange is over.
  virtual void finished(const Context& context) = 0;
  /// The status that a check of a password, or auth_request, is to have: 200, 401 or 403. Nothing:
  /// the password is looked at, and auth_request lets everybody pass.
  [[nodiscard]] virtual std::optional<unsigned> assumed_password() const = 0;
};

}  // namespace proxy
