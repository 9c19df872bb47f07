#include "http/path.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "base/text.h"

namespace http {

namespace {

enum class Class : std::uint8_t { plain, slash, percent, forbidden };

consteval std::array<Class, 256> make_classes() {
  std::array<Class, 256> classes{};
  for (std::size_t i = 0; i < 256; ++i) {
    const bool forbidden = i <= 0x20 || i == 0x7f || i == '?' || i == '#' || i == '\\';
    classes[i] = forbidden ? Class::forbidden : Class::plain;
  }
  classes['/'] = Class::slash;
  classes['%'] = Class::percent;
  return classes;
}
constexpr std::array<Class, 256> kClasses = make_classes();

Class class_of(char c) noexcept { return kClasses[static_cast<unsigned char>(c)]; }

// Most paths are canonical as they arrive: no escape, no empty segment, none that begins with a
// dot.
bool is_canonical_already(std::string_view path) noexcept {
  char before = 0;
  for (const char c : path) {
    const Class kind = class_of(c);
    if (kind == Class::plain) {
      if (c == '.' && before == '/') return false;
    } else if (kind != Class::slash || before == '/') {
      return false;
    }
    before = c;
  }
  return true;
}

bool is_dots(std::string_view text) noexcept { return text == "." || text == ".."; }

// Writes the canonical path into memory as long as the raw one.
//
// A *piece* is what stands between two separators: '/', an encoded slash or a backslash. A piece of
// dots between plain slashes is a dot segment and is resolved; between any others it is refused.
class Canonicaliser {
 public:
  Canonicaliser(std::span<char> out, EncodedSlash encoded_slash, MergeSlashes merge) noexcept
      : out_(out), encoded_slash_(encoded_slash), merge_(merge) {}

  std::expected<std::string_view, PathError> run(std::string_view raw) {
    out_[size_++] = '/';
    piece_ = 1;
    for (std::size_t i = 1; i < raw.size(); ++i) {
      const char c = raw[i];
      bool good = true;
      switch (class_of(c)) {
        case Class::plain: append(c); break;
        case Class::slash:
          good = end_piece(Separator::plain);
          if (good) append_slash();
          break;
        case Class::percent:
          good = take_escape(raw.substr(i + 1));
          i += 2;
          break;
        case Class::forbidden: good = fail(PathError::forbidden_byte); break;
      }
      if (!good) return std::unexpected(error_);
    }
    if (!end_piece(Separator::plain)) return std::unexpected(error_);
    return std::string_view(out_.data(), size_);
  }

 private:
  enum class Separator : std::uint8_t { plain, odd };

  bool fail(PathError error) noexcept {
    error_ = error;
    return false;
  }

  bool take_escape(std::string_view digits) noexcept {
    if (digits.size() < 2) return fail(PathError::bad_escape);
    const int high = base::hex_value(digits[0]);
    const int low = base::hex_value(digits[1]);
    if (high < 0 || low < 0) return fail(PathError::bad_escape);
    const char c = static_cast<char>(high * 16 + low);
    switch (c) {
      case '\0': return fail(PathError::null_byte);
      case '\r':
      case '\n': return fail(PathError::line_break);
      case '/': return take_encoded_slash();
      case '\\':
        if (!end_piece(Separator::odd)) return false;
        append('\\');
        piece_ = size_;
        return true;
      default:
        escaped_ = true;
        append(c);
        return true;
    }
  }

  bool take_encoded_slash() noexcept {
    if (encoded_slash_ == EncodedSlash::refuse) return fail(PathError::encoded_slash);
    if (!end_piece(Separator::odd)) return false;
    if (encoded_slash_ == EncodedSlash::decode) {
      append_slash();
    } else {
      for (const char c : std::string_view("%2F")) out_[size_++] = c;
    }
    piece_ = size_;
    return true;
  }

  void append(char c) noexcept {
    // Under `keep` the text must not come to look like one of our own escapes. That "%2" is a
    // literal percent sign, which took three bytes of the raw path: there is room for two more.
    if (encoded_slash_ == EncodedSlash::keep && (c == 'F' || c == 'f' || c == '5') &&
        written().ends_with("%2")) {
      out_[size_++] = '5';
      out_[size_++] = '2';
    }
    out_[size_++] = c;
  }

  void append_slash() noexcept {
    const bool again = written().ends_with('/');
    if (!(again && (resolved_ || merge_ == MergeSlashes::yes))) out_[size_++] = '/';
    resolved_ = false;
    piece_ = size_;
  }

  // Judges the piece that ends here and begins a new one.
  bool end_piece(Separator right) noexcept {
    const std::string_view piece = written().substr(piece_);
    const bool odd = escaped_ || left_ == Separator::odd || right == Separator::odd;
    left_ = right;
    escaped_ = false;
    resolved_ = false;
    if (!piece.starts_with('.')) return true;
    const std::size_t parameters = piece.find(';');
    if (parameters != std::string_view::npos && is_dots(piece.substr(0, parameters))) {
      return fail(PathError::encoded_dot_segment);
    }
    if (!is_dots(piece)) return true;
    if (odd) return fail(PathError::encoded_dot_segment);
    const bool parent = piece.size() == 2;
    size_ = piece_;
    resolved_ = true;
    return !parent || remove_segment();
  }

  // "/a/b/" becomes "/a/".
  bool remove_segment() noexcept {
    if (size_ == 1) return fail(PathError::above_root);
    size_ = written().substr(0, size_ - 1).rfind('/') + 1;
    return true;
  }

  [[nodiscard]] std::string_view written() const noexcept { return {out_.data(), size_}; }

  std::span<char> out_;
  std::size_t size_ = 0;
  std::size_t piece_ = 0;  // where the current piece begins in out_
  EncodedSlash encoded_slash_;
  MergeSlashes merge_;
  Separator left_ = Separator::plain;
  bool escaped_ = false;  // the piece has an escape in it
  bool resolved_ = false;  // the piece was a dot segment: its slash is there already
  PathError error_ = PathError::not_absolute;
};

using EscapeTable = std::array<bool, 256>;

consteval EscapeTable make_escapes(std::string_view set) {
  EscapeTable table{};
  for (std::size_t i = 0; i < 256; ++i) {
    table[i] = i <= 0x20 || i >= 0x7f || set.find(static_cast<char>(i)) != std::string_view::npos;
  }
  return table;
}
// ngx_escape_uri of nginx 1.21.1 and later: NGX_ESCAPE_URI and NGX_ESCAPE_ARGS.
constexpr EscapeTable kPathEscapes = make_escapes("\"#%<>?\\^`{|}");
constexpr EscapeTable kArgsEscapes = make_escapes("\"#%&+;<>?\\^`{|}");

template <class NeedsEscape>
std::string_view escape(std::string_view text, base::Arena& arena, NeedsEscape needs_escape) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::size_t escapes = 0;
  for (std::size_t i = 0; i < text.size(); ++i) escapes += needs_escape(i) ? 1U : 0U;
  if (escapes == 0) return text;
  const std::span<char> out = arena.allocate_chars(text.size() + 2 * escapes);
  std::size_t size = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (!needs_escape(i)) {
      out[size++] = c;
      continue;
    }
    out[size++] = '%';
    out[size++] = kHex[static_cast<unsigned char>(c) >> 4];
    out[size++] = kHex[static_cast<unsigned char>(c) & 15U];
  }
  return {out.data(), size};
}

}  // namespace

std::expected<std::string_view, PathError> canonical_path(std::string_view raw_path,
                                                          EncodedSlash encoded_slash,
                                                          MergeSlashes merge_slashes,
                                                          base::Arena& arena) {
  if (!raw_path.starts_with('/')) return std::unexpected(PathError::not_absolute);
  if (is_canonical_already(raw_path)) return raw_path;
  return Canonicaliser(arena.allocate_chars(raw_path.size()), encoded_slash, merge_slashes)
      .run(raw_path);
}

std::string_view escape_path(std::string_view path, EncodedSlash encoded_slash,
                             base::Arena& arena) {
  const bool keep = encoded_slash == EncodedSlash::keep;
  return escape(path, arena, [path, keep](std::size_t i) {
    if (!kPathEscapes[static_cast<unsigned char>(path[i])]) return false;
    if (!keep || path[i] != '%') return true;
    const std::string_view next = path.substr(i + 1, 2);
    return next != "2F" && next != "25";
  });
}

std::string_view escape_args(std::string_view text, base::Arena& arena) {
  return escape(text, arena, [text](std::size_t i) {
    return kArgsEscapes[static_cast<unsigned char>(text[i])];
  });
}

namespace {
struct Words {
  std::string_view name;
  std::string_view sentence;
};
constexpr std::array<Words, 8> kWords = {{
    {"not_absolute", "the path does not begin with a slash"},
    {"forbidden_byte", "the path has a control byte, a space, '#' or '\\' that is not escaped"},
    {"bad_escape", "the path has a '%' that two hexadecimal digits don't follow"},
    {"null_byte", "the path has an encoded NUL byte"},
    {"line_break", "the path has an encoded line break"},
    {"encoded_slash", "the path has an encoded slash (encoded_slash refuse)"},
    {"encoded_dot_segment", "the path has a disguised dot segment"},
    {"above_root", "the path leads above the root"},
}};
static_assert(static_cast<std::size_t>(PathError::above_root) == kWords.size() - 1);
}  // namespace

std::string_view name_of(PathError error) noexcept {
  return kWords[static_cast<std::size_t>(error)].name;
}
std::string_view explain(PathError error) noexcept {
  return kWords[static_cast<std::size_t>(error)].sentence;
}

}  // namespace http
