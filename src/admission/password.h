// Passwords as the lines of a user file keep them: nginx's schemes.
//
//   {PLAIN}text  {SHA}base64  {SSHA}base64  $apr1$salt$...  and all that crypt(3) of the system
//   knows: bcrypt ($2y$), yescrypt ($y$), SHA-512 ($6$), SHA-256 ($5$), MD5 ($1$), DES
#pragma once

#include <string_view>

namespace admission {

/// Whether it is compared in a microsecond or so. The others take up to a second, by design.
[[nodiscard]] bool is_quick(std::string_view stored) noexcept;

/// Whether that is the password that was stored. The time says nothing about how much of it is
/// right. False for a line that nobody can read, and for passwords with a NUL byte, which crypt(3)
/// would take for their end. Blocks for as long as the scheme takes.
[[nodiscard]] bool matches_password(std::string_view stored, std::string_view password);

}  // namespace admission
