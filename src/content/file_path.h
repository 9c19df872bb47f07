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
};

/// Of exchange.uri. Errors: not_permitted (it would leave the root), not_found (no file can have
/// such a name).
[[nodiscard]] base::Result<FilePath> find_path(const StaticPlan& plan, exchange::Exchange& exchange,
                                               http::EncodedSlash encoded_slash);

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
