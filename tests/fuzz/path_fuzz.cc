// needs: http
// Paths: a canonical path has no dot segment in any reading, is not longer than the raw one, and
// comes back from its escaped form. Judged against a slow reference that decodes first and resolves
// after.
#include <string>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "http/path.h"

namespace {

using http::EncodedSlash;
using http::MergeSlashes;

// Under `keep` "%2F" is a slash to whoever decodes; otherwise it is a text that was escaped twice.
bool has_dot_segment(std::string text, EncodedSlash slash) {
  for (std::size_t at = 0;
       slash == EncodedSlash::keep && (at = text.find("%2F", at)) != std::string::npos;) {
    text.replace(at, 3, "/");
  }
  for (char& c : text) {
    if (c == '\\') c = '/';
  }
  std::string_view rest = text;
  while (!rest.empty()) {
    std::string_view segment = base::split_first(rest, '/');
    segment = segment.substr(0, segment.find(';'));
    if (segment == "." || segment == "..") return true;
  }
  return false;
}

// What a path means when encoded slashes are decoded and slashes merged. Only for accepted paths.
std::string reference(std::string_view raw) {
  std::string decoded;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '%') {
      decoded += raw[i];
      continue;
    }
    decoded += static_cast<char>(base::hex_value(raw[i + 1]) * 16 + base::hex_value(raw[i + 2]));
    i += 2;
  }
  std::vector<std::string_view> segments;
  std::string_view rest = decoded;
  bool directory = true;
  while (!rest.empty()) {
    const bool last = rest.find('/') == std::string_view::npos;
    const std::string_view segment = base::split_first(rest, '/');
    directory = segment.empty() || segment == "." || segment == ".." || !last;
    if (segment == "..") {
      CHECK(!segments.empty());
      segments.pop_back();
    } else if (!segment.empty() && segment != ".") {
      segments.push_back(segment);
    }
  }
  std::string path;
  for (const std::string_view segment : segments) path.append("/").append(segment);
  return directory ? path + "/" : path;
}

void run(std::string_view raw, EncodedSlash slash, MergeSlashes merge) {
  base::Arena arena;
  const auto path = http::canonical_path(raw, slash, merge, arena);
  if (!path) return;
  CHECK(path->starts_with('/') && path->size() <= raw.size());
  CHECK(path->find('\0') == std::string_view::npos);
  CHECK(!has_dot_segment(std::string(*path), slash));
  CHECK(merge == MergeSlashes::no || path->find("//") == std::string_view::npos);
  if (slash == EncodedSlash::decode && merge == MergeSlashes::yes) CHECK(*path == reference(raw));

  const std::string_view escaped = http::escape_path(*path, slash, arena);
  const auto again = http::canonical_path(escaped, slash, merge, arena);
  CHECK(again && *again == *path);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string raw(reinterpret_cast<const char*>(data), size);
  for (const EncodedSlash slash :
       {EncodedSlash::keep, EncodedSlash::refuse, EncodedSlash::decode}) {
    for (const MergeSlashes merge : {MergeSlashes::no, MergeSlashes::yes}) run(raw, slash, merge);
  }
  return 0;
}
