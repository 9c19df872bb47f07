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
constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 §1.3

std::string_view as_text(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool is_websocket(const http::RequestHead& request) {
  return base::equal_ignoring_case(request.protocol, kWebSocket);
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
  if (!is_websocket(request)) return fits;
  std::array<std::uint8_t, 16> nonce{};
  base::fill_random(nonce);
  fits = fits && fields.set(FieldName::sec_websocket_key,
                            fields.arena().copy(base::encode_base64(as_text(nonce))));
  if (!fields.has(FieldName::sec_websocket_version)) {
    fits = fits && fields.add(FieldName::sec_websocket_version, "13");
  }
  return fits;
}

bool accepts_websocket(const http::RequestHead& request, const http::ResponseHead& answer) {
  if (!is_websocket(request)) return true;
  tls::Digest digest(tls::Digest::Kind::sha1);
  digest.add(request.fields.value(FieldName::sec_websocket_key)).add(kGuid);
  return answer.fields.value(FieldName::sec_websocket_accept) ==
         base::encode_base64(digest.finish());
}

void answer_extended_connect(http::ResponseHead& response) {
  response.status = 200;
  response.reason = {};
  response.body = {.kind = http::BodyFraming::Kind::chunked};
  response.fields.remove(FieldName::sec_websocket_accept);
}

}  // namespace proxy
