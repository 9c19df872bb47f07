// What a file of ssl_session_ticket_key says.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "tls/ticket_secret.h"

namespace tls {

/// nginx's layouts, so that both programs can share a file:
///
///   48 bytes   name (16)  AES-128 key (16)  HMAC key (16)
///   80 bytes   name (16)  HMAC key (32)     AES-256 key (32)
///
/// The error is a sentence without the file's name.
[[nodiscard]] std::expected<TicketKey, std::string> read_ticket_key(std::string_view bytes);

}  // namespace tls
