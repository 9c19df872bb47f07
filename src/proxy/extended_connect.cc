#include "proxy/extended_connect.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/base64.h"
#include "base/random.h"
#include "base/text.h"
#include "tls/digest.h"

namespace proxy {
namespace {

using http::FieldName;

constexpr std::string_view kWebSocket = "websocket";
constexpr std::size_t kNonceSize = 16;
constexpr std::size_t kKeySize = 24;  // with its padding
constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 §1.3

std::string_view as_text(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool is_websocket(std::string_view protocol) {
  return base::equal_ignoring_case(protocol, kWebSocket);
}

// Sec-WebSocket-Accept (RFC 6455 §4.2.2).
std::string proof_of(const http::RequestHead& request) {
  tls::Digest digest(tls::Digest::Kind::sha1);
  digest.add(request.fields.value(FieldName::sec_websocket_key)).add(kGuid);
  return base::encode_base64(digest.finish());
}

}  // namespace

bool read_as_upgrade(http::RequestHead& request) {
  http::Fields& fields = request.fields;
  request.method = http::Method::get;
  request.method_text = http::text_of(request.method);
  request.upgrade = true;
  request.body = {};  // what the stream carries is the tunnel's
  bool fits = fields.set(FieldName::connection, "upgrade") &&
              fields.set(FieldName::upgrade, request.protocol);
  if (!is_websocket(request.protocol)) return fits;
  std::array<std::uint8_t, kNonceSize> nonce{};
  base::fill_random(nonce);
  fits = fits && fields.set(FieldName::sec_websocket_key,
                            fields.arena().copy(base::encode_base64(as_text(nonce))));
  if (!fields.has(FieldName::sec_websocket_version)) {
    fits = fits && fields.add(FieldName::sec_websocket_version, "13");
  }
  return fits;
}

bool accepts_websocket(const http::RequestHead& request, const http::ResponseHead& answer) {
  if (!is_websocket(request.protocol)) return true;
  return answer.fields.value(FieldName::sec_websocket_accept) == proof_of(request);
}

bool has_usable_key(const http::RequestHead& request) {
  if (!is_websocket(request.fields.value(FieldName::upgrade))) return true;
  if (request.fields.count(FieldName::sec_websocket_key) != 1) return false;
  const std::string_view key = request.fields.value(FieldName::sec_websocket_key);
  std::array<char, kNonceSize> nonce{};
  return key.size() == kKeySize &&
         base::decode_base64(key, base::Base64::standard, nonce) == kNonceSize;
}

void make_extended_connect(std::string_view protocol, http::OutgoingRequest& request) {
  request.method = http::text_of(http::Method::connect);
  request.protocol = protocol;
  request.fields.remove(FieldName::sec_websocket_key);
  request.fields.remove(FieldName::content_length);  // a tunnel has none
}

bool read_as_switch(const http::RequestHead& request, std::string_view protocol,
                    http::ResponseHead& answer) {
  answer.status = 101;
  answer.reason = {};
  answer.upgrade = true;
  answer.body = {};
  http::Fields& fields = answer.fields;
  fields.remove(FieldName::content_length);
  fields.remove(FieldName::sec_websocket_accept);
  if (!fields.set(FieldName::upgrade, protocol)) return false;
  return !is_websocket(protocol) ||
         fields.add(FieldName::sec_websocket_accept, fields.arena().copy(proof_of(request)));
}

void answer_extended_connect(http::ResponseHead& response) {
  response.status = 200;
  response.reason = {};
  response.body = {.kind = http::BodyFraming::Kind::chunked};
  response.fields.remove(FieldName::sec_websocket_accept);
}

}  // namespace proxy
