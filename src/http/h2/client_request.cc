#include "http/h2/client_request.h"

#include <array>
#include <charconv>
#include <utility>

#include "base/check.h"
#include "http/h2/send_operation.h"

namespace http::h2 {

using base::ErrorCode;
using Kind = BodyFraming::Kind;

namespace {

// nghttp2 sends no larger block (session.cc), whatever the letters cost in HPACK.
constexpr std::size_t kMaxHead = 128 * 1024;

constexpr base::Error kNotProcessed{.code = ErrorCode::reset,
                                    .context = "the backend has not processed the HTTP/2 request"};
constexpr base::Error kNoExtendedConnect{
    .code = ErrorCode::unavailable,
    .context =
        "upstream takes no WebSockets over HTTP/2: its SETTINGS have no "
        "SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441); set \"proxy_http_version 1.1\" there"};

}  // namespace

// --- the body ---

void ResponseBody::begin(const BodyFraming& framing) noexcept {
  framing_ = framing;
  ended_ = !framing.has_body();
}

std::optional<std::uint64_t> ResponseBody::length() const noexcept {
  if (framing_.kind == Kind::none) return 0;
  if (framing_.kind == Kind::length) return framing_.length;
  return std::nullopt;
}

std::optional<base::Result<std::string_view>> ResponseBody::try_read() {
  if (ended_) return std::string_view{};
  auto piece = stream_.take();
  piece_is_out_ = false;
  if (!piece || !*piece) return piece;
  delivered_ += (*piece)->size();
  piece_is_out_ = !(*piece)->empty();
  ended_ = !piece_is_out_;
  return piece;
}

std::optional<base::Result<std::string_view>> ResponseBody::next_received() {
  if (!piece_is_out_) return try_read();
  notice_end();
  if (ended_) return std::string_view{};
  return std::nullopt;
}

async::Task<base::Result<std::string_view>> ResponseBody::read(base::Deadline deadline) {
  while (true) {
    if (auto piece = try_read()) co_return *std::move(piece);
    CO_TRY_VOID(co_await io::ready(stream_, io::Direction::read, deadline, io::Waiting::busy));
  }
}

Refusal ResponseBody::refusal() const noexcept {
  return static_cast<const ClientRequest&>(stream_).ClientRequest::refusal();
}

// --- the request ---

ClientRequest::ClientRequest(ClientConnection::Core& core, Method method, base::Arena& arena,
                             const ResponseLimits& limits)
    : Stream(core, 0),
      core_(core),
      arena_(arena),
      fields_(method, limits),
      building_(arena),
      trailers_(arena),
      trailer_fields_(trailers_, limits.max_trailer_bytes, limits.max_trailer_fields),
      body_(*this, trailers_) {
  expect_length(0);  // DATA before the final head is none of its body
  core_.add(*this);
}

ClientRequest::~ClientRequest() {
  if (id() != 0 && !closed()) {
    if (!(end_sent() && receive_ended())) reset(Code::cancel, Because::own);
    core_.session().forget(id());
  }
  core_.remove(*this);
  if (was_sent() && !answered() && !unprocessed_) core_.doubt(sent_at_);
}

base::Result<void> ClientRequest::account(std::size_t size, End end) noexcept {
  if (!left_) return {};
  if (size > *left_) return base::fail(ErrorCode::protocol, "the body is longer than its length");
  *left_ -= size;
  if (end == End::yes && *left_ != 0) {
    return base::fail(ErrorCode::protocol, "the body is shorter than its length");
  }
  return {};
}

base::Result<void> ClientRequest::submit(const OutgoingRequest& request, Session::Ends ends) {
  if (request.fields.bytes() + request.target.size() > kMaxHead) {
    return base::fail(ErrorCode::too_large, "the request's head is too large for HTTP/2");
  }
  std::array<char, 20> digits{};
  std::string_view length;
  if (request.body.kind == Kind::length) {
    left_ = request.body.length;
    const auto [end, error] = std::to_chars(digits.begin(), digits.end(), *left_);
    CHECK(error == std::errc{});
    length = {digits.begin(), end};
  }
  const Session::RequestLine line{.method = request.method,
                                  .scheme = request.scheme,
                                  .authority = request.fields.value(FieldName::host),
                                  .path = request.target,
                                  .protocol = request.protocol};
  TRY(const std::int32_t id,
      core_.session().submit_request(*this, line, request.fields, length, ends));
  set_id(id);
  note_submitted(ends == Session::Ends::yes ? After::nothing : After::data);
  return {};
}

async::Task<base::Result<void>> ClientRequest::send_head(const OutgoingRequest& request,
                                                         std::string_view first, End end,
                                                         base::Deadline deadline) {
  const bool is_tunnel = !request.protocol.empty();
  const bool only_head =
      !is_tunnel && (!request.body.has_body() || (end == End::yes && first.empty()));
  if (!request.protocol.empty()) {
    // RFC 8441 §3: not before the backend has said that it knows the method's other meaning.
    while (!core_.settled() && !core_.over() && !failed()) {
      CO_TRY_VOID(co_await io::ready(*this, io::Direction::read, deadline, io::Waiting::busy));
    }
  }
  if (core_.over() || failed()) {
    unprocessed_ = true;
    fail(kNotProcessed);  // whoever reads the answer must not wait for it
    co_return base::fail(kNotProcessed);
  }
  if (!request.protocol.empty() && !core_.session().peer_allows_extended_connect()) {
    co_return base::fail(kNoExtendedConnect);
  }
  const auto submitted = submit(request, only_head ? Session::Ends::yes : Session::Ends::no);
  if (!submitted) {
    // Not for what the request is: the connection takes none any more.
    unprocessed_ =
        !submitted.error().is(ErrorCode::invalid) && !submitted.error().is(ErrorCode::too_large);
    if (!unprocessed_) co_return base::fail(submitted.error());
    fail(kNotProcessed);
    co_return base::fail(kNotProcessed);
  }
  sent_at_ = core_.loop().now();
  if (only_head) first = {};
  CO_TRY_VOID(account(first.size(), is_tunnel ? End::no : end));
  const bool last = !only_head && !is_tunnel && end == End::yes;
  co_return co_await SendOperation(*this, first, last, deadline);
}

async::Task<base::Result<void>> ClientRequest::send_body(std::string_view piece, End end,
                                                         io::Patience patience) {
  CO_TRY_VOID(account(piece.size(), end));
  if (send_failed()) co_return base::fail(failure());
  if (end_sent() || is_ending()) co_return base::Result<void>{};  // it has no body
  co_return co_await SendOperation(*this, piece, end == End::yes, patience);
}

async::Task<base::Result<void>> ClientRequest::finish_body(const Fields& trailers,
                                                           io::Patience patience) {
  if (trailers.empty()) co_return co_await send_body({}, End::yes, patience);
  CO_TRY_VOID(account(0, End::yes));
  if (send_failed()) co_return base::fail(failure());
  if (end_sent() || is_ending()) co_return base::Result<void>{};
  CO_TRY_VOID(core_.session().submit_trailers(*this, trailers));
  note_submitted(After::nothing);
  co_return co_await SendOperation(*this, {}, false, patience);
}

// --- the response ---

async::Task<base::Result<void>> ClientRequest::read_head(ResponseHead& head,
                                                         base::Deadline deadline) {
  while (heads_.empty()) {
    if (failed()) co_return base::fail(failure());
    if (receive_ended()) {
      co_return base::fail(ErrorCode::protocol, "the HTTP/2 stream ended before a final head");
    }
    CO_TRY_VOID(co_await io::ready(*this, io::Direction::read, deadline, io::Waiting::busy));
  }
  head = std::move(heads_.front());
  heads_.erase(heads_.begin());
  co_return base::Result<void>{};
}

ReceivedBody& ClientRequest::open_body(const ResponseHead& head) {
  body_.begin(head.body);
  return body_;
}

bool ClientRequest::may_be_ready(io::Direction direction) const noexcept {
  if (direction == io::Direction::write) return Stream::may_be_ready(direction);
  if (!heads_.empty() || failed() || receive_ended()) return true;
  if (id() == 0) return core_.settled() || core_.over();  // an extended CONNECT waits for SETTINGS
  return final_seen_ && Stream::may_be_ready(direction);  // before it, only heads are waited for
}

void ClientRequest::refuse(Refusal refusal, std::string_view rule) noexcept {
  refusal_ = refusal;
  const bool is_size = refusal == Refusal::head_too_large || refusal == Refusal::line_too_long ||
                       refusal == Refusal::too_many_fields;
  fail({.code = is_size ? ErrorCode::too_large : ErrorCode::protocol, .context = rule});
  reset(is_size ? Code::cancel : Code::protocol_error, Because::peer);
}

Refusal ClientRequest::refusal() const noexcept {
  if (refusal_ != Refusal::none || !failed() || !failure().is(ErrorCode::protocol) ||
      core_.over()) {
    return refusal_;
  }
  return Refusal::body_length_mismatch;
}

void ClientRequest::on_block(Block /*block*/) noexcept {
  if (final_seen_ || failed()) return;
  building_ = ResponseHead(arena_);
  fields_.begin(building_);
}

void ClientRequest::on_field(std::string_view name, std::string_view value) noexcept {
  decoded_ += name.size() + value.size();
  if (decoded_ > core_.limits().max_decoded) return core_.offend(Offence::header_bomb);
  if (failed()) return;
  if (!final_seen_) return fields_.add(name, value);
  if (const std::string_view rule = trailer_fields_.add(name, value); !rule.empty()) {
    refuse(rule == "trailer_too_large"   ? Refusal::trailer_too_large
           : rule == "trailer_forbidden" ? Refusal::trailer_forbidden
                                         : Refusal::trailer_invalid,
           rule);
  }
}

void ClientRequest::on_block_end(bool end_stream) noexcept {
  if (failed()) return;
  if (final_seen_) {
    if (!end_stream) return refuse(Refusal::trailer_invalid, "trailers without an end");
    return on_end();
  }
  fields_.finish(end_stream);
  if (!fields_.sound()) return refuse(fields_.refusal(), fields_.rule());
  if (!building_.is_interim()) {
    final_seen_ = true;
    expect_length(fields_.data_length());
  }
  heads_.push_back(std::move(building_));
  if (end_stream) on_end();
  touch();
}

void ClientRequest::on_closed(Code code) noexcept {
  if (!answered() && (code == Code::refused_stream || !was_sent())) {
    unprocessed_ = true;
    fail(kNotProcessed);
  } else if (receive_ended() && !end_sent() && !failed()) {
    // RFC 9113 §8.1: it has answered without wanting the rest of the request.
    fail_sending({.code = ErrorCode::reset, .context = "the backend wants no more of the request"});
  }
  Stream::on_closed(code);
}

// A GOAWAY came before it left.
void ClientRequest::on_head_not_sent() noexcept {
  unprocessed_ = true;
  fail(kNotProcessed);
}

void ClientRequest::lose_connection(const base::Error& error) noexcept {
  if (receive_ended()) return fail_sending(error);
  if (!was_sent()) unprocessed_ = true;
  fail(error);
}

}  // namespace http::h2
