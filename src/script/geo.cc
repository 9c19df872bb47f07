#include "script/geo.h"

#include "http/forwarded_for.h"

namespace script {
namespace {

template <class Number>
Number number_of(std::string_view bytes) noexcept {
  Number number = 0;
  for (const char byte : bytes) {
    number = static_cast<Number>(number << 8U) | static_cast<unsigned char>(byte);
  }
  return number;
}

constexpr std::string_view kMapped("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
constexpr std::uint32_t kNoAddress = 0xffffffffU;

}  // namespace

std::uint32_t ipv4_number(std::string_view bytes) noexcept {
  return number_of<std::uint32_t>(bytes);
}
Ipv6Number ipv6_number(std::string_view bytes) noexcept { return number_of<Ipv6Number>(bytes); }

Geo::Outcome Geo::outcome(std::string_view text) {
  outcomes_.push_back(
      {static_cast<std::uint32_t>(text_.size()), static_cast<std::uint32_t>(text.size())});
  text_ += text;
  return static_cast<Outcome>(outcomes_.size() - 1);
}

std::string_view Geo::text_of(Outcome outcome) const noexcept {
  const Text& text = outcomes_[outcome];
  return std::string_view(text_).substr(text.start, text.size);
}

base::Address Geo::address_of(Subject& subject) const {
  base::Address address;
  if (address_) {
    const std::string_view text = address_->evaluate(subject);
    // Brackets are for ports, which nginx does not read here either.
    const auto read = text.starts_with('[') ? std::nullopt : base::Address::from_ip(text, 0);
    if (!read) return {};
    address = *read;
  } else if (subject.exchange != nullptr) {
    address = subject.exchange->remote;
  }
  if (!proxies_.empty() && subject.exchange != nullptr) {
    http::ForwardedSearch(proxies_, recursive_)
        .walk_forwarded_for(subject.exchange->request.fields, address);
  }
  return address;
}

Geo::Outcome Geo::find(const base::Address& address) const noexcept {
  std::string_view bytes = address.ip_bytes();
  if (bytes.size() == 16 && bytes.starts_with(kMapped)) bytes.remove_prefix(kMapped.size());
  if (bytes.size() == 4) return ipv4_.find(ipv4_number(bytes));
  if (bytes.size() == 16 && ipv6_) return ipv6_->find(ipv6_number(bytes));
  return ipv4_.find(kNoAddress);
}

std::optional<std::string_view> Geo::compute(Subject& subject) const {
  const base::Address address = address_of(subject);
  if (subject.failed) return std::nullopt;
  return text_of(find(address));
}

}  // namespace script
