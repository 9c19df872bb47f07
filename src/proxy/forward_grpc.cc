// A call of gRPC's: its deadline, and an end that the client always learns of.
#include "io/socket.h"
#include "proxy/forwarder.h"
#include "proxy/grpc.h"

namespace proxy {

using observe::Level;

async::Task<std::optional<Answer>> Forwarder::run_call() {
  is_call_ = true;
  const auto timeout = find_grpc_timeout(exchange_.request.fields);
  if (!timeout) {
    log(context_, Level::info, timeout.error());
    co_return Answer{.status = 400};  // INTERNAL
  }
  if (!*timeout) co_return co_await end_call(co_await run());
  deadline_ = exchange_.started + **timeout;
  async::Scope call(co_await async::current_scope());
  call.spawn(expire(call));
  std::optional<Answer> answer = co_await async::within(call, run());
  call.request_stop();
  co_await call.join();
  co_return co_await end_call(answer);
}

// What is under way is cancelled, and so the backend's stream is reset.
async::Task<void> Forwarder::expire(async::Scope& call) {
  if (!co_await io::sleep_until(context_.worker.loop, *deadline_)) co_return;
  expired_ = true;
  call.request_stop();
}

// What is left to be said when nothing is under way any more.
async::Task<std::optional<Answer>> Forwarder::end_call(std::optional<Answer> answer) {
  if (answer && expired_) answer = Answer{.status = 504, .deadline_passed = true};
  const http::Responder& responder = context_.responder();
  const bool left = answer && answer->close_silently;  // the client itself
  if ((!answer && !owes_end_) || left || !responder.head_sent() || responder.ended()) {
    co_return answer;
  }
  const GrpcEnd end = answer
                          ? grpc_end_of(*answer)
                          : GrpcEnd{GrpcStatus::unavailable, "the backend has cut off its answer"};
  if (!co_await end_grpc_response(context_, end)) context_.cut_off();
  co_return std::nullopt;
}

// The backend is told what is left of the time.
void Forwarder::say_time_left() {
  if (!deadline_ || plan_.set_names.has(http::FieldName::other, kGrpcTimeout)) return;
  const auto text = format_grpc_timeout(*deadline_ - context_.now(), exchange_.arena);
  static_cast<void>(request_.fields.set(kGrpcTimeout, text));  // it is there, or this is one more
}

}  // namespace proxy
