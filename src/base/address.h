// Address: where a socket is bound or connected (IPv4, IPv6 or Unix), as a value. Network: a CIDR
// block.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace base {

class Address {
 public:
  Address() = default;  // AF_UNSPEC

  /// "127.0.0.1", "::1" or "[::1]" (no names), with the port given apart.
  [[nodiscard]] static std::optional<Address> from_ip(std::string_view ip, std::uint16_t port);
  /// "127.0.0.1:80" or "[::1]:80".
  [[nodiscard]] static std::optional<Address> from_ip_and_port(std::string_view text);
  /// A Unix socket's path, at most 107 bytes; "@name" is the abstract namespace.
  [[nodiscard]] static std::optional<Address> from_path(std::string_view path);
  /// What accept, getsockname or getaddrinfo gave. A size beyond the storage gives AF_UNSPEC.
  [[nodiscard]] static Address from_native(const sockaddr* native, socklen_t size) noexcept;

  [[nodiscard]] const sockaddr* native() const noexcept {
    return path_ ? reinterpret_cast<const sockaddr*>(path_.get())
                 : reinterpret_cast<const sockaddr*>(&storage_);
  }
  [[nodiscard]] socklen_t native_size() const noexcept { return size_; }

  [[nodiscard]] int family() const noexcept { return storage_.sin6_family; }
  [[nodiscard]] bool is_unix() const noexcept { return family() == AF_UNIX; }
  [[nodiscard]] bool is_ip() const noexcept { return family() == AF_INET || family() == AF_INET6; }
  /// 0.0.0.0 or ::
  [[nodiscard]] bool is_wildcard() const noexcept;
  [[nodiscard]] bool is_loopback() const noexcept;
  /// 0 for Unix sockets.
  [[nodiscard]] std::uint16_t port() const noexcept;
  [[nodiscard]] Address with_port(std::uint16_t port) const noexcept;

  /// Network byte order: 4 or 16 bytes, empty for Unix sockets. Valid while *this lives.
  [[nodiscard]] std::string_view ip_bytes() const noexcept;
  /// "127.0.0.1", "::1", "unix:" for a client of a Unix socket (as nginx shows it).
  [[nodiscard]] std::string ip_text() const;
  /// "127.0.0.1:80", "[::1]:80", "unix:/run/app.sock".
  [[nodiscard]] std::string text() const;

  [[nodiscard]] bool operator==(const Address& other) const noexcept;
  [[nodiscard]] std::size_t hash() const noexcept;

 private:
  // An IP address in place. A Unix socket's path, four times as long and rare, lies elsewhere; an
  // unnamed one has none.
  sockaddr_in6 storage_{};
  socklen_t size_ = 0;
  std::shared_ptr<const sockaddr_un> path_;
};

class Network {
 public:
  /// "10.0.0.0/8", "::1", "unix:" (every Unix socket). Host bits are ignored.
  [[nodiscard]] static std::optional<Network> parse(std::string_view text);
  [[nodiscard]] bool contains(const Address& address) const noexcept;

 private:
  int family_ = AF_UNSPEC;
  std::array<std::uint8_t, 16> bits_{};
  unsigned prefix_ = 0;
};

}  // namespace base

template <>
struct std::hash<base::Address> {
  std::size_t operator()(const base::Address& address) const noexcept { return address.hash(); }
};
