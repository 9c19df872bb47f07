// What is in a directory: for autoindex and random_index. Names that begin with a dot are left out,
// as in nginx.
//
// A link is looked at by the rules of its root (file.h): one that may not be followed is told as
// the link that it is, so that nothing is said of what lies outside.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/arena.h"
#include "base/result.h"
#include "content/file.h"

namespace content {

struct DirectoryEntry : FileStatus {
  std::string name;
};

struct Directory {
  std::vector<DirectoryEntry> entries;  // in the order of the disk
  std::vector<std::string> refused;  // names of those that may not be looked at
  bool too_many = false;  // there are more than `most`: nothing else is told
};

/// kinds: only the kind of an entry is wanted, which spares a look at most.
enum class EntryDetails : std::uint8_t { kinds, all };

/// Reads `path`, whose end is a slash. Waits for the disk. Errors: those of open() and readdir().
[[nodiscard]] base::Result<Directory> read_directory(Roots& roots, const FilePath& path,
                                                     LinkRule links, EntryDetails details,
                                                     std::size_t most, base::Arena& arena);

}  // namespace content
