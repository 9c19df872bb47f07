#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/text.h"

namespace base {
namespace {

// The sockaddr family of structures is read and written by memcpy: no aliasing, no alignment.
template <class T>
T read_as(const sockaddr_in6& storage) noexcept {
  static_assert(sizeof(T) <= sizeof storage);
  T out;
  std::memcpy(&out, &storage, sizeof out);
  return out;
}

constexpr std::size_t kPathOffset = offsetof(sockaddr_un, sun_path);

}  // namespace

std::optional<Address> Address::from_ip(std::string_view ip, std::uint16_t port) {
  if (ip.size() >= 2 && ip.front() == '[' && ip.back() == ']') {
    ip = ip.substr(1, ip.size() - 2);
    if (ip.find(':') == std::string_view::npos) return std::nullopt;
  }
  const std::string text(ip);
  Address out;
  sockaddr_in v4{};
  if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&out.storage_, &v4, sizeof v4);
    out.size_ = sizeof v4;
    return out;
  }
  sockaddr_in6 v6{};
  if (::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&out.storage_, &v6, sizeof v6);
    out.size_ = sizeof v6;
    return out;
  }
  return std::nullopt;
}

std::optional<Address> Address::from_ip_and_port(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view ip = text.substr(0, colon);
  if (ip.find(':') != std::string_view::npos && ip.front() != '[') return std::nullopt;
  const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
  if (!port) return std::nullopt;
  return from_ip(ip, *port);
}

std::optional<Address> Address::from_path(std::string_view path) {
  sockaddr_un un{};
  if (path.empty() || path.size() >= sizeof un.sun_path) return std::nullopt;
  un.sun_family = AF_UNIX;
  std::ranges::copy(path, std::begin(un.sun_path));
  const bool abstract = path.front() == '@';
  if (abstract) un.sun_path[0] = '\0';
  Address out;
  out.storage_.sin6_family = AF_UNIX;
  out.path_ = std::make_shared<const sockaddr_un>(un);
  out.size_ = static_cast<socklen_t>(kPathOffset + path.size() + (abstract ? 0 : 1));
  return out;
}

Address Address::from_native(const sockaddr* native, socklen_t size) noexcept {
  Address out;
  if (size < sizeof(sa_family_t)) return out;
  if (native->sa_family == AF_UNIX && size > kPathOffset) {
    if (size > sizeof(sockaddr_un)) return out;
    sockaddr_un un{};
    std::memcpy(&un, native, size);
    out.path_ = std::make_shared<const sockaddr_un>(un);
    out.storage_.sin6_family = AF_UNIX;
  } else {
    if (size > sizeof out.storage_) return out;
    std::memcpy(&out.storage_, native, size);
  }
  out.size_ = size;
  return out;
}

bool Address::is_wildcard() const noexcept {
  const std::string_view ip = ip_bytes();
  return !ip.empty() && std::ranges::all_of(ip, [](char c) { return c == 0; });
}

bool Address::is_loopback() const noexcept {
  const std::string_view ip = ip_bytes();
  if (ip.size() == 4) return ip.front() == 127;
  return ip.size() == 16 && ip.back() == 1 &&
         std::ranges::all_of(ip.substr(0, 15), [](char c) { return c == 0; });
}

std::uint16_t Address::port() const noexcept {
  if (family() == AF_INET) return ntohs(read_as<sockaddr_in>(storage_).sin_port);
  if (family() == AF_INET6) return ntohs(read_as<sockaddr_in6>(storage_).sin6_port);
  return 0;
}

Address Address::with_port(std::uint16_t port) const noexcept {
  Address out = *this;
  if (family() == AF_INET) {
    auto v4 = read_as<sockaddr_in>(storage_);
    v4.sin_port = htons(port);
    std::memcpy(&out.storage_, &v4, sizeof v4);
  } else if (family() == AF_INET6) {
    auto v6 = read_as<sockaddr_in6>(storage_);
    v6.sin6_port = htons(port);
    std::memcpy(&out.storage_, &v6, sizeof v6);
  }
  return out;
}

std::string_view Address::ip_bytes() const noexcept {
  const std::string_view all(reinterpret_cast<const char*>(&storage_), sizeof storage_);
  if (family() == AF_INET) return all.substr(offsetof(sockaddr_in, sin_addr), 4);
  if (family() == AF_INET6) return all.substr(offsetof(sockaddr_in6, sin6_addr), 16);
  return {};
}

std::string Address::ip_text() const {
  char text[INET6_ADDRSTRLEN];
  const std::string_view ip = ip_bytes();
  if (ip.empty()) return "unix:";
  if (::inet_ntop(family(), ip.data(), text, sizeof text) == nullptr) return {};
  return text;
}

std::string Address::text() const {
  if (family() == AF_INET) return ip_text() + ':' + std::to_string(port());
  if (family() == AF_INET6) return '[' + ip_text() + "]:" + std::to_string(port());
  if (!is_unix()) return {};
  std::string path = "unix:";
  if (size_ > kPathOffset) {
    std::string_view stored(reinterpret_cast<const char*>(native()), size_);
    stored.remove_prefix(kPathOffset);
    if (stored.front() == '\0') {
      path += '@';
      stored.remove_prefix(1);
    } else {
      stored = stored.substr(0, stored.find('\0'));
    }
    path += stored;
  }
  return path;
}

bool Address::operator==(const Address& other) const noexcept {
  if (family() != other.family()) return false;
  if (is_ip()) return ip_bytes() == other.ip_bytes() && port() == other.port();
  return size_ == other.size_ && std::memcmp(native(), other.native(), size_) == 0;
}

std::size_t Address::hash() const noexcept {
  if (is_ip()) return std::hash<std::string_view>{}(ip_bytes()) ^ (std::size_t{port()} << 7U);
  return std::hash<std::string_view>{}({reinterpret_cast<const char*>(native()), size_});
}

std::optional<Network> Network::parse(std::string_view text) {
  Network out;
  if (text == "unix:") {
    out.family_ = AF_UNIX;
    return out;
  }
  const auto slash = text.find('/');
  const auto address = Address::from_ip(text.substr(0, slash), 0);
  if (!address) return std::nullopt;
  const std::string_view ip = address->ip_bytes();
  const auto width = static_cast<unsigned>(ip.size() * 8);
  out.family_ = address->family();
  out.prefix_ = width;
  if (slash != std::string_view::npos) {
    const auto prefix = parse_number<unsigned>(text.substr(slash + 1));
    if (!prefix || *prefix > width) return std::nullopt;
    out.prefix_ = *prefix;
  }
  std::ranges::transform(ip, out.bits_.begin(),
                         [](char c) { return static_cast<std::uint8_t>(c); });
  return out;
}

bool Network::contains(const Address& address) const noexcept {
  if (family_ == AF_UNIX) return address.is_unix();
  std::string_view ip = address.ip_bytes();
  // An IPv4 client of a dual-stack socket arrives as ::ffff:a.b.c.d.
  constexpr std::string_view kMapped("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
  if (family_ == AF_INET && ip.size() == 16 && ip.starts_with(kMapped)) ip.remove_prefix(12);
  if (ip.size() != (family_ == AF_INET ? 4U : 16U)) return false;
  for (unsigned i = 0, left = prefix_; left > 0; ++i) {
    const unsigned bits = std::min(left, 8U);
    const auto mask = static_cast<std::uint8_t>(0xffU << (8U - bits));
    if (((static_cast<std::uint8_t>(ip[i]) ^ bits_[i]) & mask) != 0) return false;
    left -= bits;
  }
  return true;
}

}  // namespace base
