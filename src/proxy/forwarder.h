// Forwarder: what the files of forward.h share: one request on its way to a backend and back.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string_view>

#include "async/scope.h"
#include "async/task.h"
#include "base/result.h"
#include "http/client_exchange.h"
#include "http/h1/client_exchange.h"
#include "http/outgoing_request.h"
#include "io/socket.h"
#include "proxy/client_certificates.h"
#include "proxy/client_watch.h"
#include "proxy/context.h"
#include "proxy/outgoing.h"
#include "proxy/plan.h"
#include "proxy/request_body.h"
#include "upstream/attempts.h"
#include "upstream/cluster.h"
#include "upstream/lease.h"

namespace proxy {

class Forwarder {
 public:
  Forwarder(Context& context, const ForwardPlan& plan)
      : context_(context), exchange_(context.exchange), plan_(plan), request_(exchange_.arena) {}

  [[nodiscard]] async::Task<std::optional<Answer>> run();
  /// The same for a call of gRPC's: until its deadline, and its end is always told.
  [[nodiscard]] async::Task<std::optional<Answer>> run_call();

 private:
  enum class Verdict : std::uint8_t {
    done,    // an answer was sent, or what could be sent of it
    retry,   // another peer may be tried
    repeat,  // the kept connection was closed for idleness: the same peer on a fresh one
    failed,
  };

  // forward.cc: the steps, and the attempts one after the other.
  [[nodiscard]] std::optional<Answer> tell_recorder();
  [[nodiscard]] bool begin_anew();
  [[nodiscard]] upstream::Cluster* find_cluster();
  async::Task<std::optional<Answer>> attempts();
  [[nodiscard]] bool may_repeat() const noexcept;
  [[nodiscard]] bool has_whole_request() const noexcept;
  [[nodiscard]] bool may_ask_another() const noexcept;
  [[nodiscard]] bool has_more() const noexcept;
  [[nodiscard]] bool is_passed_over(unsigned status) const;

  // forward_request.cc: what is sent, and over what connection.
  async::Task<std::optional<Answer>> take_body();
  [[nodiscard]] bool replace_body();
  [[nodiscard]] bool has_whole_body() const noexcept;
  void choose_socket();
  [[nodiscard]] std::optional<Answer> choose_tls(upstream::TlsTarget& tls);
  [[nodiscard]] bool choose_certificate();
  /// The context of a certificate that is not kept is this request's alone.
  [[nodiscard]] bool has_own_context() const noexcept {
    return certificate_ != nullptr && plan_.named_certificate->cache.most == 0;
  }

  // forward_attempt.cc: one attempt at one peer, until its head is there.
  exchange::Attempt& begin_attempt(std::string_view endpoint);
  async::Task<Verdict> attempt(upstream::Lease lease);
  [[nodiscard]] http::ClientExchange& begin_exchange(upstream::Lease& lease,
                                                     std::optional<http::h1::ClientExchange>& alone,
                                                     std::unique_ptr<http::ClientExchange>& shared);
  async::Task<Verdict> converse(upstream::Lease& lease, http::ClientExchange& backend,
                                async::Scope& scope);
  async::Task<void> pump(http::ClientExchange& backend, async::Scope& scope);
  async::Task<base::Result<void>> read_head(http::ClientExchange& backend);
  [[nodiscard]] bool passes_hints();
  [[nodiscard]] bool is_tunnel_answer() const noexcept;
  [[nodiscard]] bool watches_client() const noexcept;

  // forward_response.cc: what the client gets of it.
  [[nodiscard]] std::optional<Verdict> take_over();
  [[nodiscard]] Verdict follow_redirect(std::string_view target);
  void keep_fields(std::initializer_list<http::FieldName> names);
  async::Task<Verdict> pass_response(upstream::Lease& lease, http::ClientExchange& backend);
  async::Task<Verdict> switch_protocols(upstream::Lease& lease, http::ClientExchange& backend);

  // forward_grpc.cc
  async::Task<void> expire(async::Scope& call);
  async::Task<std::optional<Answer>> end_call(std::optional<Answer> answer);
  void say_time_left();

  // forward_failures.cc: who is to blame, what is said about it, and what follows.
  Verdict connect_failed(const upstream::Failure& failure);
  Verdict request_failed(upstream::Lease& lease, http::ClientExchange& backend,
                         const base::Error& error, std::string_view phase);
  Verdict relay_failed(const base::Error& error, http::Refusal refusal);
  Verdict refuse_response(std::string_view why);
  Verdict refuse_request(const base::Error& error);
  Verdict client_failed(const base::Error& error);
  [[nodiscard]] std::string_view why_cancelled() const noexcept {
    return expired_ ? "the deadline of the call (grpc-timeout) has passed"
                    : "client prematurely closed connection";
  }
  void count_refusal(http::Refusal refusal);
  void log_failure(observe::Level level, const base::Error& error, std::string_view phase,
                   std::string_view extra = {});
  /// To the error log, in the names of the directives that hold for it.
  void tell(observe::Level level, std::string_view message, std::string_view upstream = {});
  [[nodiscard]] std::string_view upstream_url();
  [[nodiscard]] exchange::Attempt& current() {
    return exchange_.attempts[exchange_.attempt_count - 1];
  }

  Context& context_;
  exchange::Exchange& exchange_;
  const ForwardPlan& plan_;
  Destination destination_;
  http::OutgoingRequest request_;
  std::string_view own_body_;  // proxy_set_body, or nothing for proxy_pass_request_body off
  bool replaces_body_ = false;
  http::Method method_ = http::Method::get;  // that the backend is asked with
  io::ConnectOptions socket_;
  upstream::Attempts attempts_;
  Answer answer_{.status = 502};
  std::optional<base::Error> pump_error_;
  std::optional<ClientWatch> watch_;  // while an attempt lasts and nothing is read from the client
  upstream::Cluster* cluster_ = nullptr;
  std::shared_ptr<upstream::Cluster> own_cluster_;  // cluster_, if variables made it
  base::TimePoint began_{};  // the first attempt
  base::TimePoint attempt_began_{};
  base::TimePoint pumped_at_{};  // when the whole request was sent, if pump() did it
  ClientCertificateCache::Shown certificate_;  // named by variables; null: another, or none
  unsigned moves_ = 0;  // because the backend had not processed it
  std::optional<base::TimePoint> deadline_;  // of a call
  std::optional<Replay> replay_;  // of a call
  bool expired_ = false;
  bool is_call_ = false;
  bool owes_end_ = false;  // of a call: its response has begun and is not whole
  bool pumping_ = false;
  bool upgrade_ = false;
  bool streams_body_ = false;  // the body is sent as it arrives
};

}  // namespace proxy
