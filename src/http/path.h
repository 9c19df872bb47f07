// The canonical path: what locations, access rules, inspection, cache keys and logs see. One
// decoded, normalised spelling for each resource, or a refusal; nothing is guessed (threats.md
// #13).
//
// Refused is every spelling that another program could read as a different path: an escape that
// makes a dot segment ("/%2e%2e/", "/..%2F"), a dot segment beside a backslash or with parameters
// ("/..;/", which Java servers resolve), anything above the root, %00, and encoded line breaks,
// which split header lines and end the reach of a '.' in a regular expression.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

#include "base/arena.h"

namespace http {

/// What becomes of %2F (directive `encoded_slash`). `keep`: it stays as the text "%2F", in upper
/// case; and so that the path stays unambiguous, a decoded '%' that would begin "%2F" or "%25" by
/// accident is written "%25". `decode` is nginx's way: a '/' like any other.
enum class EncodedSlash : std::uint8_t { keep, refuse, decode };
enum class MergeSlashes : std::uint8_t { no, yes };

enum class PathError : std::uint8_t {
  not_absolute,         // does not begin with '/'
  forbidden_byte,       // a control byte, a space, '?', '#' or '\' that is not escaped
  bad_escape,           // '%' without two hexadecimal digits
  null_byte,            // %00
  line_break,           // %0A or %0D
  encoded_slash,        // %2F, under EncodedSlash::refuse
  encoded_dot_segment,  // a dot segment that an escape, a backslash or a parameter makes
  above_root,           // more ".." than segments
};

[[nodiscard]] std::string_view name_of(PathError error) noexcept;  // "bad_escape"
[[nodiscard]] std::string_view explain(PathError error) noexcept;  // a sentence

/// The canonical form of a request's path (without query). A view of `raw_path` itself if that is
/// canonical already, else in the arena; never longer than `raw_path`. Linear time.
[[nodiscard]] std::expected<std::string_view, PathError> canonical_path(std::string_view raw_path,
                                                                        EncodedSlash encoded_slash,
                                                                        MergeSlashes merge_slashes,
                                                                        base::Arena& arena);

/// A canonical path as it is sent to a backend or in a redirect: nginx's ngx_escape_uri for URIs.
/// Give the policy that made the path: under `keep` its "%2F" and "%25" are already escapes.
/// canonical_path(escape_path(p)) == p for every canonical p.
[[nodiscard]] std::string_view escape_path(std::string_view path, EncodedSlash encoded_slash,
                                           base::Arena& arena);
/// For text that is put into a query: nginx's NGX_ESCAPE_ARGS (also '&', '+' and ';').
[[nodiscard]] std::string_view escape_args(std::string_view text, base::Arena& arena);

}  // namespace http
