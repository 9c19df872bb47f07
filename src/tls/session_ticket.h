// The NewSessionTicket of a TLS 1.3 server (RFC 8446 §4.6.1), made here once the handshake is over.
//
// What is in a ticket is OpenSSL's encoding of a session, under the same keys and in the same
// layout (RFC 5077 §4) as the tickets that OpenSSL makes itself, and OpenSSL opens both: the two
// are interchangeable. Made by OpenSSL, a ticket costs a twentieth of a handshake more: it copies
// the session, encodes it twice and decodes it once, fetches the algorithms by name and runs its
// state machine for one message more. Tickets for early data are left to it: their age is checked,
// and nobody but OpenSSL can put what that needs into a session.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "tls/key_schedule.h"
#include "tls/openssl.h"

namespace tls {

struct NewSessionTicket {
  static constexpr std::size_t kIdSize = 32;
  std::string message;  // with the header of a handshake message
  /// What the log shows as the session's id. It is on no wire: TLS 1.3 has none.
  std::array<std::uint8_t, kIdSize> id{};
};

/// Of the session of `ssl`, whose handshake is over; the session is good for nothing else after it.
/// `resumption`: the connection's resumption_master_secret (§7.1). Nothing when there is no ticket
/// key, when the session is too large for a ticket (a chain of client certificates of 64 KB), or
/// when OpenSSL fails: the client then shakes hands in full.
[[nodiscard]] std::optional<NewSessionTicket> make_new_session_ticket(SSL* ssl,
                                                                      ServerContext::State& state,
                                                                      const Secret& resumption);

/// The key that tickets are made with now; null without any (no tickets).
[[nodiscard]] const TicketKey* newest_ticket_key(ServerContext::State& state);
/// AES-CBC as the key's size has it. Null when OpenSSL fails.
[[nodiscard]] const EVP_CIPHER* ticket_cipher(Library::State& library, const TicketKey& key);

}  // namespace tls
