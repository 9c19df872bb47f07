#include "http/h2/server_request.h"

#include "http/h2/connection.h"

namespace http::h2 {

ServerRequest::ServerRequest(Connection& connection, ServerConnection& shown, Owner& owner,
                             std::int32_t id)
    : Stream(connection, id),
      shown_(shown),
      owner_(owner),
      head_(arena_),
      fields_(head_, connection.limits()),
      trailers_(arena_),
      trailer_fields_(trailers_, connection.limits().max_trailer_bytes,
                      connection.limits().max_trailer_fields),
      body_(*this, trailers_),
      writer_(*this, method_),
      began_(connection.loop().now()) {}

ServerRequest::~ServerRequest() { Stream::connection().discharge(charged_); }

void ServerRequest::on_block(Block block) noexcept { in_trailers_ = block == Block::later; }

void ServerRequest::on_field(std::string_view name, std::string_view value) noexcept {
  if (failed()) return;
  if (in_trailers_) {
    const std::string_view rule = trailer_fields_.add(name, value);
    if (!rule.empty()) malform(rule);
    return;
  }
  fields_.add(name, value);
  if (fields_.decoded() > Stream::connection().limits().max_decoded) {
    Stream::connection().offend(Offence::header_bomb);
  }
}

void ServerRequest::on_block_end(bool end_stream) noexcept {
  if (failed()) return;
  if (in_trailers_) {
    if (!end_stream) return malform("trailers_without_end");
    return on_end();
  }
  fields_.finish(end_stream);
  charged_ = arena_.used() + sizeof(ServerRequest);
  Stream::connection().charge(charged_);
  if (!fields_.malformed().empty()) return malform(fields_.malformed());
  method_ = head_.method;
  if (const Field* priority = head_.fields.find(FieldName::priority); priority != nullptr) {
    Stream::connection().session().set_priority(id(), parse_priority(priority->value));
  }
  expect_length(fields_.content_length());
  if (refusal() == Refusal::none) body_.begin(head_.body);
  if (end_stream) on_end();
  owner_.on_request(*this);
}

void ServerRequest::malform(std::string_view rule) noexcept {
  owner_.on_malformed(rule);
  fail({.code = base::ErrorCode::protocol, .context = rule});
  reset(Code::protocol_error, Because::peer);
}

}  // namespace http::h2
