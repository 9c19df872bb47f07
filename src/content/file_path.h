// Where a request's file lies: the root, and the path below it.
//
//   root /srv/www;                      /a/b.css   → /srv/www     a/b.css
//   location /i/ { alias /srv/img/; }   /i/x.png   → /srv/img/    x.png
//   location ~ ^/u/(.+) { alias /srv/u/$1; }
//                                       /u/a/x.png → /srv/u/      a/x.png
//
// What is below never has a dot segment, whatever variables gave, so that even a root that follows
// links anywhere is left by links alone. "location /i { alias /srv/img/; }" and "/i../key" is how
// that happens to others (threats.md #13).
#pragma once

#include <string_view>

#include "base/result.h"
#include "content/static_directives.h"
#include "exchange/exchange.h"
#include "http/path.h"

namespace content {

/// Views live in the plan or in the arena; both ends are zero-terminated.
struct FilePath {
  std::string_view directory;  // absolute, without links being limited
  std::string_view below;      // relative, "." for the directory itself
  std::string_view shown;      // both, as nginx writes them in the error log
  std::size_t unchecked = 0;   // bytes of `shown` in which disable_symlinks does not count
};

/// Of `uri`, which is exchange.uri or what try_files makes of it. Errors: not_permitted (it would
/// leave the root), not_found (no file can have such a name).
[[nodiscard]] base::Result<FilePath> find_path(const StaticPlan& plan, exchange::Exchange& exchange,
                                               http::EncodedSlash encoded_slash,
                                               std::string_view uri);
[[nodiscard]] inline base::Result<FilePath> find_path(const StaticPlan& plan,
                                                      exchange::Exchange& exchange,
                                                      http::EncodedSlash encoded_slash) {
  return find_path(plan, exchange, encoded_slash, exchange.uri);
}

/// $document_root: the root or the alias of this request, absolute. Errors as find_path.
[[nodiscard]] base::Result<std::string_view> find_root(const StaticPlan& plan,
                                                       exchange::Exchange& exchange);

/// The bytes of `uri` that an alias stands for: those of the location, where `uri` begins with
/// them.
[[nodiscard]] std::size_t aliased_prefix(const StaticPlan& plan, const exchange::Exchange& exchange,
                                         std::string_view uri) noexcept;

/// A file of that directory: the index of one that find_path gave. `name` may be relative to it in
/// several steps. Errors: not_permitted.
[[nodiscard]] base::Result<FilePath> path_in(const FilePath& directory, std::string_view name,
                                             base::Arena& arena);

/// A path that names a file as a URI names it: http::EncodedSlash::keep leaves %2F and %25 in a
/// canonical path. Not found: %2F, which no name has in it.
[[nodiscard]] base::Result<std::string_view> file_name_of(std::string_view path,
                                                          http::EncodedSlash encoded_slash,
                                                          base::Arena& arena);

}  // namespace content
