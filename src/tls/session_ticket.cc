#include "tls/session_ticket.h"

#include <openssl/rand.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <string_view>

namespace tls {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint64_t kMessageType = 4;  // new_session_ticket (RFC 8446 §4)
constexpr std::size_t kIv = 16;
constexpr std::size_t kMac = 32;
constexpr long kLongestLifetime = 7L * 24 * 3600;  // §4.6.1, in seconds
constexpr std::size_t kLargestSession = 0xff00;    // a ticket's size has two bytes
constexpr std::array<std::uint8_t, 1> kNonce{0};   // one ticket a connection: there is no second

/// A session as OpenSSL encodes it, its key included.
class EncodedSession {
 public:
  explicit EncodedSession(const SSL_SESSION* session) {
    const int size = i2d_SSL_SESSION(session, &bytes_);  // allocates
    size_ = size > 0 ? static_cast<std::size_t>(size) : 0;
  }
  ~EncodedSession() { OPENSSL_clear_free(bytes_, size_); }
  EncodedSession(const EncodedSession&) = delete;
  EncodedSession& operator=(const EncodedSession&) = delete;

  [[nodiscard]] Bytes bytes() const noexcept { return {bytes_, size_}; }

 private:
  unsigned char* bytes_ = nullptr;
  std::size_t size_ = 0;
};

/// Random bytes of one call: the generator's fixed cost is larger than theirs.
struct Randoms {
  std::array<std::uint8_t, kIv> iv;
  std::array<std::uint8_t, 4> age_add;
  std::array<std::uint8_t, NewSessionTicket::kIdSize> id;
};

void add(std::string& text, std::uint64_t number, unsigned size) {
  while (size-- > 0) text += static_cast<char>(number >> 8U * size & 0xffU);
}

void add(std::string& text, Bytes bytes) {
  text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

Bytes bytes_of(std::string_view text) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// Whether the key that the client computes is the one in `session` now, which begins anew.
bool renew(SSL_SESSION* session, KeySchedule& schedule, const Secret& resumption) {
  const auto hash = resumption.bytes().size() == KeySchedule::size_of(KeySchedule::Hash::sha256)
                        ? KeySchedule::Hash::sha256
                        : KeySchedule::Hash::sha384;
  Secret key;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const long seconds = std::chrono::floor<std::chrono::seconds>(now).count();
  return schedule.expand_label(hash, resumption.bytes(), "resumption", kNonce,
                               key.resize(KeySchedule::size_of(hash))) &&
         SSL_SESSION_set1_master_key(session, key.bytes().data(), key.bytes().size()) == 1 &&
         SSL_SESSION_set_time(session, seconds) != 0;
}

/// Appends `plain` under AES-CBC. False when OpenSSL fails.
bool add_encrypted(std::string& text, const EVP_CIPHER* algorithm, const TicketKey& key, Bytes iv,
                   Bytes plain) {
  const CipherCtxPtr cipher(EVP_CIPHER_CTX_new());
  const std::size_t before = text.size();
  text.resize(before + plain.size() + EVP_MAX_BLOCK_LENGTH);
  const auto room = std::as_writable_bytes(std::span(text).subspan(before));
  const auto place = [&](int at) {
    return reinterpret_cast<unsigned char*>(room.subspan(static_cast<std::size_t>(at)).data());
  };
  int size = 0;
  int last = 0;
  const bool done = algorithm != nullptr && cipher != nullptr &&
                    EVP_EncryptInit_ex2(cipher.get(), algorithm, key.cipher_key.data(), iv.data(),
                                        nullptr) == 1 &&
                    EVP_EncryptUpdate(cipher.get(), place(0), &size, plain.data(),
                                      static_cast<int>(plain.size())) == 1 &&
                    EVP_EncryptFinal_ex(cipher.get(), place(size), &last) == 1;
  text.resize(before + static_cast<std::size_t>(size + last));
  return done;
}

/// What is behind the size of the ticket: RFC 5077 §4's key_name, iv, encrypted_state, mac.
std::optional<std::string> seal(Library::State& library, const TicketKey& key, Bytes iv,
                                Bytes session) {
  std::string ticket;
  add(ticket, key.name);
  add(ticket, iv);
  std::array<std::uint8_t, kMac> mac{};
  if (!add_encrypted(ticket, ticket_cipher(library, key), key, iv, session)) return std::nullopt;
  const std::array<Bytes, 1> message{bytes_of(ticket)};
  if (!library.schedule->hmac(KeySchedule::Hash::sha256, std::span(key.mac_key).first(key.size),
                              message, mac)) {
    return std::nullopt;
  }
  add(ticket, mac);
  return ticket;
}

}  // namespace

const TicketKey* newest_ticket_key(ServerContext::State& state) {
  if (state.policy.ticket_keys.empty()) {
    if (!state.ticket_keys) return nullptr;
    state.ticket_keys->refresh(state.ticket_copy);
  }
  return &state.ticket_copy.keys.front();
}

const EVP_CIPHER* ticket_cipher(Library::State& library, const TicketKey& key) {
  return library.cipher(key.size == 16 ? "AES-128-CBC" : "AES-256-CBC");
}

std::optional<NewSessionTicket> make_new_session_ticket(SSL* ssl, ServerContext::State& state,
                                                        const Secret& resumption) {
  const TicketKey* key = newest_ticket_key(state);
  SSL_SESSION* session = SSL_get_session(ssl);
  Randoms random{};
  if (key == nullptr || session == nullptr ||
      RAND_bytes_ex(state.library.context.get(), reinterpret_cast<unsigned char*>(&random),
                    sizeof random, 0) != 1 ||
      !renew(session, *state.library.schedule, resumption)) {
    return std::nullopt;
  }
  const EncodedSession encoded(session);
  if (encoded.bytes().empty() || encoded.bytes().size() > kLargestSession) return std::nullopt;
  const auto ticket = seal(state.library, *key, random.iv, encoded.bytes());
  if (!ticket) return std::nullopt;

  std::string body;
  const long lifetime = std::min(SSL_SESSION_get_timeout(session), kLongestLifetime);
  add(body, static_cast<std::uint64_t>(lifetime), 4);
  add(body, random.age_add);
  add(body, kNonce.size(), 1);
  add(body, kNonce);
  add(body, ticket->size(), 2);
  body += *ticket;
  add(body, 0, 2);  // no extensions
  NewSessionTicket made{.message = {}, .id = random.id};
  add(made.message, kMessageType, 1);
  add(made.message, body.size(), 3);
  made.message += body;
  return made;
}

}  // namespace tls
